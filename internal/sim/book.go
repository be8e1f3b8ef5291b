package sim

import (
	"slices"

	"clusy.io/clusy/internal/agent"
)

// book is an agent's journal in memory. It is the disk of its site, so it
// outlives the agent: what was appended is there when the next one opens it.
type book struct{ lines [][]byte }

func (b *book) open() (agent.Book, [][]byte, error) { return b, slices.Clone(b.lines), nil }

func (b *book) Append(recs ...[]byte) error {
	for _, r := range recs {
		b.lines = append(b.lines, slices.Clone(r))
	}
	return nil
}

func (b *book) Rewrite(recs [][]byte) error {
	b.lines = nil
	return b.Append(recs...)
}

func (b *book) Close() error { return nil }
