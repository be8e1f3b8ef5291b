package main

import (
	"fmt"
	"strconv"
	"strings"

	"clusy.io/clusy"
)

// mostSizes is how many pieces of a plan are told with their sizes.
const mostSizes = 8

// sizes says when elastic work runs at which size: runs at 4× from 02:00 to
// 05:00. It is "" for work that runs as it is declared.
func sizes(spans []clusy.Span) string {
	sized := false
	for _, s := range spans {
		sized = sized || s.Size != 0
	}
	if !sized {
		return ""
	}
	var says []string
	for i, s := range spans {
		if i == mostSizes {
			says = append(says, fmt.Sprintf("and %d more", len(spans)-i))
			break
		}
		end := s.End.UTC().Format("15:04")
		if s.End.UTC().YearDay() != s.Start.UTC().YearDay() {
			end = local(s.End)
		}
		says = append(says, fmt.Sprintf("at %s from %s to %s", times(s.Size), local(s.Start), end))
	}
	return "runs " + strings.Join(says, ", ")
}

// times writes a size: 4×, 0.5×. Absent is as declared.
func times(size float64) string {
	if size == 0 {
		size = 1
	}
	return strconv.FormatFloat(size, 'f', -1, 64) + "×"
}

// stints counts the pieces in which work runs; those that adjoin, as they do
// where only the size changes, are one.
func stints(spans []clusy.Span) (n int) {
	for i, s := range spans {
		if i == 0 || !spans[i-1].End.Equal(s.Start) {
			n++
		}
	}
	return n
}
