package plan

import "errors"

// ErrStale is the answer to committing a plan whose parent is no longer in
// force: another loop was faster, and its plan is as good as ours.
var ErrStale = errors.New("the plan's parent is not in force")
