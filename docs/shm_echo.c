#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

typedef _Atomic uint64_t word;

struct ring {
    word *tail, *producer_waiting, *head, *consumer_waiting;
    unsigned char *data;
    uint64_t capacity;
    int filled, drained; /* doorbells: the consumer reads the first and writes the second, the producer the other way */
    int gone;            /* the other side has closed its ends */
};

static void fail(const char *what) { perror(what); exit(1); }

static void ring_doorbell(int doorbell, int *gone) {
    while (write(doorbell, "", 1) < 0 && errno != EAGAIN)
        if (errno == EPIPE) { *gone = 1; return; }
        else if (errno != EINTR) fail("doorbell");
}

static void listen_to(int doorbell, int *gone) { /* sleep, then quieten the doorbell */
    struct pollfd p = {doorbell, POLLIN, 0};
    char heard[4096];
    while (poll(&p, 1, -1) < 0)
        if (errno != EINTR) fail("poll");
    ssize_t n = read(doorbell, heard, sizeof heard);
    if (n == 0 && p.revents & POLLHUP) *gone = 1;
}

static uint64_t in_ring(struct ring *r, uint64_t tail, uint64_t head) {
    if (tail - head > r->capacity) { fputs("the ring is corrupt\n", stderr); exit(1); }
    return tail - head;
}

/* Writes what fits and returns how much that was; -1 when the consumer is gone. */
static ssize_t ring_write(struct ring *r, const void *from, size_t size) {
    uint64_t tail = atomic_load_explicit(r->tail, memory_order_relaxed);
    uint64_t room = r->capacity - in_ring(r, tail, atomic_load_explicit(r->head, memory_order_acquire));
    if (r->gone) return -1;
    if (size > room) size = room;
    if (size == 0) return 0;
    uint64_t at = tail & (r->capacity - 1), first = r->capacity - at;
    if (first > size) first = size;
    memcpy(r->data + at, from, first);
    memcpy(r->data, (const char *)from + first, size - first);
    atomic_store_explicit(r->tail, tail + size, memory_order_release);
    atomic_thread_fence(memory_order_seq_cst);
    if (atomic_load_explicit(r->consumer_waiting, memory_order_relaxed)) ring_doorbell(r->filled, &r->gone);
    return r->gone ? -1 : (ssize_t)size;
}

static void wait_for_room(struct ring *r) {
    atomic_store_explicit(r->producer_waiting, 1, memory_order_relaxed);
    atomic_thread_fence(memory_order_seq_cst);
    uint64_t tail = atomic_load_explicit(r->tail, memory_order_relaxed);
    int sleep = in_ring(r, tail, atomic_load_explicit(r->head, memory_order_acquire)) > r->capacity / 2;
    if (sleep) listen_to(r->drained, &r->gone);
    atomic_store_explicit(r->producer_waiting, 0, memory_order_relaxed);
}

/* Reads what is there and returns how much that was; 0 when nothing is. */
static size_t ring_read(struct ring *r, void *to, size_t size) {
    uint64_t head = atomic_load_explicit(r->head, memory_order_relaxed);
    uint64_t tail = atomic_load_explicit(r->tail, memory_order_acquire), there = in_ring(r, tail, head);
    if (size > there) size = there;
    if (size == 0) return 0;
    uint64_t at = head & (r->capacity - 1), first = r->capacity - at;
    if (first > size) first = size;
    memcpy(to, r->data + at, first);
    memcpy((char *)to + first, r->data, size - first);
    atomic_store_explicit(r->head, head + size, memory_order_release);
    atomic_thread_fence(memory_order_seq_cst);
    if (atomic_load_explicit(r->producer_waiting, memory_order_relaxed) && there - size <= r->capacity / 2) {
        int ignored = 0;
        ring_doorbell(r->drained, &ignored);
    }
    return size;
}

static void wait_for_bytes(struct ring *r) {
    atomic_store_explicit(r->consumer_waiting, 1, memory_order_relaxed);
    atomic_thread_fence(memory_order_seq_cst);
    uint64_t head = atomic_load_explicit(r->head, memory_order_relaxed);
    if (atomic_load_explicit(r->tail, memory_order_acquire) == head) listen_to(r->filled, &r->gone);
    atomic_store_explicit(r->consumer_waiting, 0, memory_order_relaxed);
}

static int open_doorbell(const char *path, const char *name, int flags) {
    char full[4096];
    struct stat s;
    snprintf(full, sizeof full, "%s.%s", path, name);
    int fd = open(full, flags | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 || fstat(fd, &s) < 0) fail(full);
    if (!S_ISFIFO(s.st_mode) || s.st_uid != geteuid()) { fprintf(stderr, "%s is no doorbell of ours\n", full); exit(1); }
    return fd;
}

static struct ring make_ring(unsigned char *memory, size_t words, size_t data, uint32_t capacity) {
    struct ring r = {(word *)(memory + words), (word *)(memory + words + 128), (word *)(memory + words + 256),
                     (word *)(memory + words + 384), memory + data, capacity, -1, -1, 0};
    return r;
}

static void open_connection(const char *path, struct ring *requests, struct ring *replies) {
    int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    struct stat s;
    struct { char magic[8]; uint32_t version, offset, requests, replies; uint64_t size; char reserved[96]; } h;
    static const char zero[96];
    if (fd < 0 || fstat(fd, &s) < 0) fail(path);
    if (!S_ISREG(s.st_mode) || s.st_uid != geteuid() || pread(fd, &h, sizeof h, 0) != sizeof h ||
        memcmp(h.magic, "plugshm\n", 8) || h.version != 1 || h.offset != 4096 ||
        h.requests < 64 || h.requests > 1u << 30 || h.requests & (h.requests - 1) ||
        h.replies < 64 || h.replies > 1u << 30 || h.replies & (h.replies - 1) ||
        h.size != 4096 + (uint64_t)h.requests + h.replies || (uint64_t)s.st_size != h.size ||
        memcmp(h.reserved, zero, sizeof zero)) { fprintf(stderr, "%s: not a good memory file\n", path); exit(1); }
    unsigned char *memory = mmap(NULL, h.size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED) fail("mmap");
    close(fd);
    *requests = make_ring(memory, 0x080, 4096, h.requests);
    *replies = make_ring(memory, 0x280, 4096 + h.requests, h.replies);
    in_ring(requests, *requests->tail, *requests->head);
    in_ring(replies, *replies->tail, *replies->head);
    replies->filled = open_doorbell(path, "replies.filled", O_RDONLY);
    requests->drained = open_doorbell(path, "requests.drained", O_RDONLY);
    requests->filled = open_doorbell(path, "requests.filled", O_WRONLY);
    replies->drained = open_doorbell(path, "replies.drained", O_WRONLY);
    if (unlink(path) < 0) fail(path); /* ENOENT: another process was quicker */
    static const char *names[] = {"requests.filled", "requests.drained", "replies.filled", "replies.drained"};
    for (int i = 0; i < 4; i++) {
        char full[4096];
        snprintf(full, sizeof full, "%s.%s", path, names[i]);
        unlink(full);
    }
}

int main(int argc, char **argv) {
    struct ring requests, replies;
    char buffer[65536];
    if (argc != 2) return 2;
    signal(SIGPIPE, SIG_IGN);
    open_connection(argv[1], &requests, &replies);
    for (;;) { /* sends back whatever comes, up to the end */
        int gone = replies.gone; /* noted before looking: what a peer has left behind is read first */
        size_t size = ring_read(&replies, buffer, sizeof buffer), done = 0;
        if (size == 0 && gone) return 0;
        if (size == 0) wait_for_bytes(&replies);
        while (done < size) {
            ssize_t n = ring_write(&requests, buffer + done, size - done);
            if (n < 0) return 1;
            if (n == 0) wait_for_room(&requests);
            done += n;
        }
    }
}
