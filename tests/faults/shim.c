/* Lets the k-th call of a C library function that can fail with a given error fail with it.

   Loaded with LD_PRELOAD and controlled by faults_arm, faults_disarm and faults_hit. Which function can fail with
   which error is said where each is defined below; those are the errors that their manual pages name. */

#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

enum { WITH_EMFILE = 1, WITH_ENOSPC = 2, WITH_EINTR = 4, WITH_ENOMEM = 8, WITH_EPIPE = 16 };

static volatile int armed, error, kind, target, lasting, count;
static const char *volatile hit_name;

/* Count from now on the calls that can fail with `with`; the one of that number fails, with `lasting_` all after it. */
void faults_arm(int with, int number, int target_, int lasting_) {
    kind = with, error = number, target = target_, lasting = lasting_, count = 0, hit_name = NULL;
    __atomic_store_n(&armed, 1, __ATOMIC_SEQ_CST);
}

/* Let nothing fail from now on; return how many calls were counted. */
int faults_disarm(void) {
    __atomic_store_n(&armed, 0, __ATOMIC_SEQ_CST);
    return count;
}

/* The name of the function that failed first, NULL when none did. */
const char *faults_hit(void) { return hit_name; }

static int fails(int with, const char *name) {
    if (!__atomic_load_n(&armed, __ATOMIC_SEQ_CST) || !(with & kind)) return 0;
    int number = __atomic_add_fetch(&count, 1, __ATOMIC_SEQ_CST);
    if (number != target && !(lasting && target && number > target)) return 0;
    if (!hit_name) hit_name = name;
    errno = error;
    return 1;
}

#define REAL(type, name, ...)                                            \
    static type (*real)(__VA_ARGS__);                                    \
    if (!real) real = (type (*)(__VA_ARGS__))dlsym(RTLD_NEXT, name)

#define WRAP(type, function, with, parameters, arguments)                \
    type function parameters {                                           \
        static type(*real) parameters;                                   \
        if (!real) real = (type(*) parameters)dlsym(RTLD_NEXT, #function); \
        if (fails(with, #function)) return (type)-1;                     \
        return real arguments;                                           \
    }

WRAP(int, pipe2, WITH_EMFILE, (int fds[2], int flags), (fds, flags))
WRAP(int, pipe, WITH_EMFILE, (int fds[2]), (fds))
WRAP(int, dup, WITH_EMFILE, (int fd), (fd))
WRAP(int, socket, WITH_EMFILE | WITH_ENOMEM, (int domain, int type, int protocol), (domain, type, protocol))
WRAP(int, socketpair, WITH_EMFILE | WITH_ENOMEM, (int domain, int type, int protocol, int fds[2]),
     (domain, type, protocol, fds))
WRAP(int, accept4, WITH_EMFILE | WITH_ENOMEM | WITH_EINTR,
     (int fd, struct sockaddr *restrict address, socklen_t *restrict size, int flags), (fd, address, size, flags))
WRAP(int, bind, WITH_ENOMEM | WITH_ENOSPC, (int fd, const struct sockaddr *address, socklen_t size),
     (fd, address, size))
WRAP(int, connect, WITH_ENOMEM, (int fd, const struct sockaddr *address, socklen_t size), (fd, address, size))
WRAP(int, setsockopt, WITH_ENOMEM, (int fd, int level, int name, const void *value, socklen_t size),
     (fd, level, name, value, size))
WRAP(int, getsockopt, WITH_ENOMEM, (int fd, int level, int name, void *restrict value, socklen_t *restrict size),
     (fd, level, name, value, size))
WRAP(int, getsockname, WITH_ENOMEM, (int fd, struct sockaddr *restrict address, socklen_t *restrict size),
     (fd, address, size))
WRAP(int, getpeername, WITH_ENOMEM, (int fd, struct sockaddr *restrict address, socklen_t *restrict size),
     (fd, address, size))
WRAP(int, eventfd, WITH_EMFILE | WITH_ENOMEM, (unsigned value, int flags), (value, flags))
WRAP(int, memfd_create, WITH_EMFILE | WITH_ENOMEM, (const char *name, unsigned flags), (name, flags))
WRAP(int, openpty, WITH_EMFILE | WITH_ENOSPC | WITH_ENOMEM,
     (int *master, int *slave, char *name, const struct termios *terminal, const struct winsize *window),
     (master, slave, name, terminal, window))
WRAP(int, mkdir, WITH_ENOSPC | WITH_ENOMEM, (const char *path, mode_t mode), (path, mode))
WRAP(int, mkfifo, WITH_ENOSPC | WITH_ENOMEM, (const char *path, mode_t mode), (path, mode))
WRAP(int, chmod, WITH_ENOMEM, (const char *path, mode_t mode), (path, mode))
WRAP(int, chown, WITH_ENOMEM, (const char *path, uid_t user, gid_t group), (path, user, group))
WRAP(int, fstat64, WITH_ENOMEM, (int fd, struct stat64 *status), (fd, status))
WRAP(int, stat64, WITH_ENOMEM, (const char *restrict path, struct stat64 *restrict status), (path, status))
WRAP(int, lstat64, WITH_ENOMEM, (const char *restrict path, struct stat64 *restrict status), (path, status))
WRAP(int, flock, WITH_EINTR | WITH_ENOMEM, (int fd, int operation), (fd, operation))
WRAP(int, ftruncate64, WITH_EINTR | WITH_ENOSPC, (int fd, off64_t size), (fd, size))
WRAP(int, poll, WITH_EINTR | WITH_ENOMEM, (struct pollfd * fds, nfds_t number, int timeout), (fds, number, timeout))
WRAP(ssize_t, read, WITH_EINTR | WITH_ENOMEM, (int fd, void *data, size_t size), (fd, data, size))
WRAP(ssize_t, pread64, WITH_EINTR | WITH_ENOMEM, (int fd, void *data, size_t size, off64_t offset),
     (fd, data, size, offset))
WRAP(ssize_t, recv, WITH_EINTR | WITH_ENOMEM, (int fd, void *data, size_t size, int flags), (fd, data, size, flags))
WRAP(int, waitid, WITH_EINTR, (idtype_t type, id_t id, siginfo_t *info, int options), (type, id, info, options))
WRAP(pid_t, waitpid, WITH_EINTR, (pid_t pid, int *status, int options), (pid, status, options))

/* Make the error true: who reads at the other end sees the end of the connection, as if its peer was gone. */
static void cut_off(int fd, int is_socket) {
    int ends[2];
    if (is_socket) {
        shutdown(fd, SHUT_WR);
    } else if (pipe2(ends, O_CLOEXEC) == 0) {
        close(ends[0]);
        dup3(ends[1], fd, O_CLOEXEC);
        close(ends[1]);
    }
}

static int breaks(int fd, const char *name) {
    struct stat status;
    if (!__atomic_load_n(&armed, __ATOMIC_SEQ_CST) || kind != WITH_EPIPE || fstat(fd, &status)) return 0;
    if (!(S_ISFIFO(status.st_mode) || S_ISSOCK(status.st_mode)) || !fails(WITH_EPIPE, name)) return 0;
    cut_off(fd, S_ISSOCK(status.st_mode));
    errno = error;
    return 1;
}

ssize_t write(int fd, const void *data, size_t size) {
    REAL(ssize_t, "write", int, const void *, size_t);
    if (__atomic_load_n(&armed, __ATOMIC_SEQ_CST)) {
        struct stat status;
        int regular = fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
        if (fails(WITH_EINTR | WITH_ENOMEM | (regular ? WITH_ENOSPC : 0), "write") || breaks(fd, "write")) return -1;
    }
    return real(fd, data, size);
}

ssize_t send(int fd, const void *data, size_t size, int flags) {
    REAL(ssize_t, "send", int, const void *, size_t, int);
    return fails(WITH_EINTR | WITH_ENOMEM, "send") || breaks(fd, "send") ? -1 : real(fd, data, size, flags);
}

static int open_fails(int flags, const char *name) {
    return fails(WITH_EMFILE | WITH_EINTR | WITH_ENOMEM | (flags & O_CREAT ? WITH_ENOSPC : 0), name);
}

int open64(const char *path, int flags, ...) {
    REAL(int, "open64", const char *, int, ...);
    va_list rest;
    va_start(rest, flags);
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    return open_fails(flags, "open") ? -1 : real(path, flags, mode);
}

int __open64_2(const char *path, int flags) {
    REAL(int, "__open64_2", const char *, int);
    return open_fails(flags, "open") ? -1 : real(path, flags);
}

int openat64(int directory, const char *path, int flags, ...) {
    REAL(int, "openat64", int, const char *, int, ...);
    va_list rest;
    va_start(rest, flags);
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    return open_fails(flags, "openat") ? -1 : real(directory, path, flags, mode);
}

int fcntl64(int fd, int command, ...) {
    REAL(int, "fcntl64", int, int, ...);
    va_list rest;
    va_start(rest, command);
    void *argument = va_arg(rest, void *);
    va_end(rest);
    if ((command == F_DUPFD || command == F_DUPFD_CLOEXEC) && fails(WITH_EMFILE, "fcntl(F_DUPFD)")) return -1;
    if (command == F_SETPIPE_SZ && fails(WITH_ENOMEM, "fcntl(F_SETPIPE_SZ)")) return -1;
    return real(fd, command, argument);
}

void *mmap64(void *address, size_t size, int protection, int flags, int fd, off64_t offset) {
    REAL(void *, "mmap64", void *, size_t, int, int, int, off64_t);
    if (fd >= 0 && fails(WITH_ENOMEM, "mmap")) return MAP_FAILED;
    return real(address, size, protection, flags, fd, offset);
}

int posix_fallocate64(int fd, off64_t offset, off64_t size) {
    REAL(int, "posix_fallocate64", int, off64_t, off64_t);
    return fails(WITH_ENOSPC | WITH_EINTR, "posix_fallocate") ? errno : real(fd, offset, size);
}

DIR *opendir(const char *path) {
    REAL(DIR *, "opendir", const char *);
    return fails(WITH_EMFILE | WITH_ENOMEM, "opendir") ? NULL : real(path);
}

DIR *fdopendir(int fd) {
    REAL(DIR *, "fdopendir", int);
    return fails(WITH_ENOMEM, "fdopendir") ? NULL : real(fd);
}

int pthread_create(pthread_t *restrict thread, const pthread_attr_t *restrict attributes, void *(*start)(void *),
                   void *restrict argument) {
    REAL(int, "pthread_create", pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
    /* What it says when there is no memory for a thread, too. */
    return fails(WITH_ENOMEM, "pthread_create") ? EAGAIN : real(thread, attributes, start, argument);
}

pid_t fork(void) {
    REAL(pid_t, "fork", void);
    if (fails(WITH_ENOMEM, "fork")) return -1;
    pid_t pid = real();
    if (pid == 0) faults_disarm();
    return pid;
}

/* A function that calls vfork cannot return; to whoever calls it, fork does the same. */
pid_t vfork(void) { return fork(); }

long syscall(long number, ...) {
    REAL(long, "syscall", long, ...);
    va_list rest;
    va_start(rest, number);
    long arguments[6];
    for (int i = 0; i < 6; i++) arguments[i] = va_arg(rest, long);
    va_end(rest);
    if (number == SYS_pidfd_open && fails(WITH_EMFILE | WITH_ENOMEM, "pidfd_open")) return -1;
    return real(number, arguments[0], arguments[1], arguments[2], arguments[3], arguments[4], arguments[5]);
}
