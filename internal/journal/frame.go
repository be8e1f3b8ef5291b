package journal

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"hash/crc32"
)

// A file is a header and then frames, one for each Append:
//
//	header  magic [8] · salt [8] · CRC of both [4]
//	frame   length of body [4] · CRC of length [4] · CRC of body [4] · body
//	body    for each record: its length as a uvarint, its bytes
//
// Numbers are little-endian, each CRC is CRC-32C. The CRCs of a frame cover the
// file's salt and the frame's offset too, so that no bytes that a record holds,
// and none left over from another file, can be taken for a frame.
//
// That is what tells a torn tail from damage: a frame that cannot be read is
// torn if no whole frame follows it anywhere, because an Append is durable
// before the next begins. The pages of one Append may reach the disk in any
// order, but it is one frame, whole or torn. The length has a CRC of its own
// so that a damaged length does not pass for a frame that is cut short.
const (
	magic       = "clusyj1\n"
	headerSize  = 8 + 8 + 4
	frameHeader = 4 + 4 + 4
	maxPrefix   = 4 // bytes of the uvarint of a length up to MaxRecord
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func newSalt() uint64 {
	var b [8]byte
	rand.Read(b[:]) // never fails
	return binary.LittleEndian.Uint64(b[:])
}

func header(salt uint64) []byte {
	b := binary.LittleEndian.AppendUint64([]byte(magic), salt)
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

// sum is the CRC of b at offset in the file with the given salt.
func sum(salt uint64, offset int64, b []byte) uint32 {
	var at [16]byte
	binary.LittleEndian.PutUint64(at[:8], salt)
	binary.LittleEndian.PutUint64(at[8:], uint64(offset))
	return crc32.Update(crc32.Checksum(at[:], castagnoli), castagnoli, b)
}

// appendFrame appends to dst the frame of recs that will stand at offset.
func appendFrame(dst []byte, salt uint64, offset int64, recs [][]byte) ([]byte, error) {
	size := 0
	for _, r := range recs {
		if len(r) > MaxRecord {
			return nil, fmt.Errorf("record of %d bytes, more than %d: %w", len(r), MaxRecord, ErrTooLarge)
		}
		size += maxPrefix + len(r)
	}
	if size > MaxBatch {
		return nil, fmt.Errorf("batch of %d bytes, more than %d: %w", size, MaxBatch, ErrTooLarge)
	}
	body := make([]byte, 0, size)
	for _, r := range recs {
		body = binary.AppendUvarint(body, uint64(len(r)))
		body = append(body, r...)
	}
	length := binary.LittleEndian.AppendUint32(nil, uint32(len(body)))
	dst = append(dst, length...)
	dst = binary.LittleEndian.AppendUint32(dst, sum(salt, offset, length))
	dst = binary.LittleEndian.AppendUint32(dst, sum(salt, offset, body))
	return append(dst, body...), nil
}

// frame returns the body of the frame at offset and what is wrong with it.
func frame(b []byte, salt uint64, offset int64) (body []byte, wrong string) {
	b = b[offset:]
	if len(b) < frameHeader {
		return nil, "a frame's header is cut short"
	}
	if binary.LittleEndian.Uint32(b[4:]) != sum(salt, offset, b[:4]) {
		return nil, "a frame's length does not match its checksum"
	}
	n := int64(binary.LittleEndian.Uint32(b))
	if n > MaxBatch || n > int64(len(b)-frameHeader) {
		return nil, "a frame is cut short"
	}
	body = b[frameHeader:][:n:n]
	if binary.LittleEndian.Uint32(b[8:]) != sum(salt, offset, body) {
		return nil, "a frame's body does not match its checksum"
	}
	return body, ""
}

// split returns the records of a frame's body.
func split(body []byte) (recs [][]byte, ok bool) {
	for len(body) > 0 {
		n, w := binary.Uvarint(body)
		if w <= 0 || n > MaxRecord || n > uint64(len(body)-w) {
			return nil, false
		}
		recs = append(recs, body[w:][:n:n])
		body = body[uint64(w)+n:]
	}
	return recs, true
}

// content is what parse finds in a file.
type content struct {
	headed  bool // there is a whole header
	salt    uint64
	records [][]byte
	end     int64 // of the last whole frame; what follows is torn
}

// parse reads a whole journal. Its error is a *CorruptError without a path.
func parse(b []byte) (content, error) {
	var c content
	if begun(b) {
		return c, nil
	}
	if len(b) < headerSize {
		return c, &CorruptError{Reason: "not a journal"}
	}
	c.salt = binary.LittleEndian.Uint64(b[len(magic):])
	if !bytes.Equal(b[:headerSize], header(c.salt)) {
		return c, &CorruptError{Reason: "not a journal, or its header is damaged"}
	}
	c.headed, c.end = true, headerSize
	for c.end < int64(len(b)) {
		body, wrong := frame(b, c.salt, c.end)
		if wrong != "" {
			if next, ok := wholeFrame(b, c.salt, c.end+1); ok {
				return c, &CorruptError{Offset: c.end, Reason: fmt.Sprintf("%s, but a whole one follows at %d", wrong, next)}
			}
			return c, nil
		}
		recs, ok := split(body)
		if !ok {
			return c, &CorruptError{Offset: c.end, Reason: "a frame with the right checksum holds no records"}
		}
		c.records = append(c.records, recs...)
		c.end += frameHeader + int64(len(body))
	}
	return c, nil
}

// begun reports whether b is what a crash can leave of a file of which not even
// the header was durable: nothing, a part of a header, or the zeros of a file
// that has its length but not yet its bytes. No record can have been in it.
func begun(b []byte) bool {
	if len(b) > headerSize {
		return false
	}
	if len(b) < headerSize && bytes.HasPrefix(b, []byte(magic)) {
		return true
	}
	return bytes.HasPrefix([]byte(magic), bytes.TrimRight(b, "\x00"))
}

// wholeFrame looks for a whole frame at any offset from at on.
func wholeFrame(b []byte, salt uint64, at int64) (int64, bool) {
	for ; at+frameHeader <= int64(len(b)); at++ {
		if _, wrong := frame(b, salt, at); wrong == "" {
			return at, true
		}
	}
	return 0, false
}
