// Package protocol is a small implementation of the protocol between hosts and plugins, both sides.
package protocol

import (
	"bytes"
	"fmt"
	"strings"
)

const (
	maxDepth  = 1000
	maxNumber = 10_000 // characters
)

// malformed is the error of what is no message.
type malformed string

func (m malformed) Error() string { return "malformed message: " + string(m) }

// What may come next: the bytes that may begin it, where v stands for a number or literal.
const (
	expectMessage     = "{"
	expectFirstKey    = "\"}"
	expectKey         = "\""
	expectColon       = ":"
	expectValue       = "{[\"v"
	expectFirstItem   = "{[\"v]"
	expectAfterMember = ",}"
	expectAfterItem   = ",]"
)

// inside is the token that the last byte was in the middle of.
type inside int

const (
	nothing inside = iota
	inString
	inEscape
	inHex
	inLiteral
	// A number, by how far it has come.
	minus
	zero
	integer
	point
	fraction
	exponent
	exponentSign
	exponentDigits
)

// scanner is the framing: bytes in, whole JSON objects out. The grammar is checked byte by byte. So a malformed message
// is known at its first wrong byte, and nobody waits for the rest of it. The scanner keeps its state between two pieces:
// no byte is looked at twice.
type scanner struct {
	message  []byte
	open     []byte // the open brackets
	expected string
	inside   inside
	literal  string
	count    int // of the bytes of a literal, number or escape
}

func newScanner() *scanner {
	return &scanner{expected: expectMessage}
}

// withinMessage says whether a message has begun and not ended.
func (s *scanner) withinMessage() bool {
	return len(s.open) > 0
}

// feed hands over each message that the next bytes complete; it is an error at the first wrong byte.
func (s *scanner) feed(data []byte, deliver func(message []byte) error) error {
	start := 0 // of the message that is under way
	for at, b := range data {
		done, err := s.push(b)
		if err != nil {
			return err
		}
		if done {
			message := append(s.message, data[start:at+1]...)
			s.message, start = nil, at+1
			if err := deliver(bytes.ToValidUTF8(message, []byte("\uFFFD"))); err != nil {
				return err
			}
		}
	}
	s.message = append(s.message, data[start:]...)
	return nil
}

// push takes one byte, and says whether it ends a message.
func (s *scanner) push(b byte) (bool, error) {
	switch s.inside {
	case nothing:
		return s.token(b)
	case inString:
		switch {
		case b < 0x20:
			return false, malformed(fmt.Sprintf("a string with %q in it", b))
		case b == '"':
			s.inside = nothing
		case b == '\\':
			s.inside = inEscape
		}
	case inEscape:
		if strings.IndexByte(`"\/bfnrtu`, b) < 0 {
			return false, malformed(fmt.Sprintf("%q behind a backslash", b))
		}
		s.inside, s.count = inString, 0
		if b == 'u' {
			s.inside = inHex
		}
	case inHex:
		if strings.IndexByte("0123456789abcdefABCDEF", b) < 0 {
			return false, malformed(fmt.Sprintf("%q in an escape", b))
		}
		if s.count++; s.count == 4 {
			s.inside = inString
		}
	case inLiteral:
		if s.literal[s.count] != b {
			return false, malformed(fmt.Sprintf("%q in a literal", b))
		}
		if s.count++; s.count == len(s.literal) {
			s.inside = nothing
		}
	default:
		next, legal := s.inside.next(b)
		if !legal {
			return false, malformed(fmt.Sprintf("%q in a number", b))
		}
		if s.inside = next; next == nothing {
			return s.token(b)
		}
		if s.count++; s.count > maxNumber {
			return false, malformed("a number that is too long")
		}
	}
	return false, nil
}

// next is how far a number has come with one more byte: nothing where it ended before it.
func (number inside) next(b byte) (next inside, legal bool) {
	digit := '0' <= b && b <= '9'
	switch {
	case number == minus && b == '0':
		return zero, true
	case (number == minus || number == integer) && digit:
		return integer, true
	case (number == zero || number == integer) && b == '.':
		return point, true
	case (number == point || number == fraction) && digit:
		return fraction, true
	case (number == zero || number == integer || number == fraction) && (b == 'e' || b == 'E'):
		return exponent, true
	case number == exponent && (b == '+' || b == '-'):
		return exponentSign, true
	case (number == exponent || number == exponentSign || number == exponentDigits) && digit:
		return exponentDigits, true
	}
	return nothing, number == zero || number == integer || number == fraction || number == exponentDigits
}

// token takes a byte between tokens, and says whether it ends a message.
func (s *scanner) token(b byte) (bool, error) {
	token := b
	switch {
	case b == ' ' || b == '\t' || b == '\r' || b == '\n':
		return false, nil
	case b == '-' || '0' <= b && b <= '9' || b == 't' || b == 'f' || b == 'n':
		token = 'v'
	case b == 'v':
		token = '?'
	}
	if strings.IndexByte(s.expected, token) < 0 {
		return false, malformed(fmt.Sprintf("expected one of %s, got %q", s.expected, b))
	}
	switch token {
	case '{', '[':
		if len(s.open) == maxDepth {
			return false, malformed("it is nested too deep")
		}
		s.open = append(s.open, token)
		s.expected = expectFirstItem
		if token == '{' {
			s.expected = expectFirstKey
		}
	case '}', ']':
		s.open = s.open[:len(s.open)-1]
		s.afterValue()
		return len(s.open) == 0, nil
	case ':':
		s.expected = expectValue
	case ',':
		s.expected = map[string]string{expectAfterMember: expectKey, expectAfterItem: expectValue}[s.expected]
	case '"':
		s.inside = inString
		if s.expected == expectKey || s.expected == expectFirstKey {
			s.expected = expectColon
		} else {
			s.afterValue()
		}
	default:
		s.beginScalar(b)
		s.afterValue()
	}
	return false, nil
}

func (s *scanner) beginScalar(b byte) {
	s.count = 1
	s.literal = map[byte]string{'t': "true", 'f': "false", 'n': "null"}[b]
	switch {
	case s.literal != "":
		s.inside = inLiteral
	case b == '-':
		s.inside = minus
	case b == '0':
		s.inside = zero
	default:
		s.inside = integer
	}
}

func (s *scanner) afterValue() {
	switch {
	case len(s.open) == 0:
		s.expected = expectMessage
	case s.open[len(s.open)-1] == '{':
		s.expected = expectAfterMember
	default:
		s.expected = expectAfterItem
	}
}
