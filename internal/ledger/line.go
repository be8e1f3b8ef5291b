package ledger

// Line is one ledger entry with its place in the log.
type Line struct {
	Index int64
	Entry Entry
}
