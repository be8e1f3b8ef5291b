package intent

import (
	"bytes"
	"fmt"
	"unicode/utf8"
)

const (
	// maxDepth is far above what an intent needs, and low enough that no
	// reader's recursion or path strings can be made to hurt.
	maxDepth = 16
	// maxMarks bounds the words and signs in a file. The YAML parser takes
	// time with the square of them in places: 10,000 cost it some 20 ms.
	maxMarks = 10_000
)

// tree reads a file into nodes, or says why no part of it can be read.
func tree(src []byte) (*node, *fault) {
	if f := gate(src); f != nil {
		return nil, f
	}
	if isJSON(src) {
		return readJSON(src)
	}
	return readYAML(src)
}

// isJSON reports whether src is to be held to JSON's rules: its first
// character opens a JSON object or list.
func isJSON(src []byte) bool {
	first := bytes.TrimLeft(src, " \t\r\n")
	return len(first) > 0 && (first[0] == '{' || first[0] == '[')
}

// gate refuses bytes that no reader should see.
func gate(src []byte) *fault {
	if len(src) > MaxBytes {
		return &fault{message: "the file is too large", value: fmt.Sprintf("%d bytes", len(src)),
			limit: fmt.Sprintf("at most %d bytes", MaxBytes), large: true}
	}
	if bytes.HasPrefix(src, []byte("\xef\xbb\xbf")) || bytes.HasPrefix(src, []byte("\xff\xfe")) || bytes.HasPrefix(src, []byte("\xfe\xff")) {
		return &fault{place: place{1, 1, 1}, message: "the file begins with a byte order mark; save it as UTF-8 without one", limit: "UTF-8 without a byte order mark"}
	}
	line, column := 1, 1
	for i := 0; i < len(src); {
		r, size := utf8.DecodeRune(src[i:])
		here := place{line, column, 1}
		switch {
		case r == utf8.RuneError && size <= 1:
			return &fault{place: here, message: "this byte is not UTF-8", value: fmt.Sprintf("0x%02x", src[i]), limit: "UTF-8"}
		case r == '\n':
			line, column = line+1, 0
		case r == '\r' && i+1 < len(src) && src[i+1] == '\n', r == '\t':
		case r < 0x20, r == 0x7f, r >= 0x80 && r < 0xa0, r == 0x2028, r == 0x2029:
			return &fault{place: here, message: "this character is not allowed in a file; inside double quotes, write it as an escape",
				value: fmt.Sprintf("U+%04X", r), limit: "printable characters, tabs and line ends"}
		}
		i += size
		column++
	}
	if len(bytes.TrimSpace(src)) == 0 {
		return &fault{message: "the file is empty", limit: "one intent"}
	}
	return nil
}
