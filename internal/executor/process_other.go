//go:build !linux

package executor

import (
	"context"
	"errors"
	"time"
)

var _ Executor = Process{}

// errLinux is what each method of Process returns on other systems: there is no
// /proc and no subreaper, and a task that cannot be found cannot be promised.
var errLinux = errors.New("running tasks as processes needs Linux")

func (p Process) Start(context.Context, Task) error     { return errLinux }
func (p Process) Suspend(context.Context, string) error { return errLinux }
func (p Process) Resume(context.Context, string) error  { return errLinux }
func (p Process) Scale(context.Context, string, int) error {
	return errLinux
}
func (p Process) Stop(context.Context, string, time.Duration, string) error {
	return errLinux
}
func (p Process) Observe(context.Context, string) (Observation, error) {
	return Observation{}, errLinux
}
func (p Process) List(context.Context) ([]string, error) { return nil, errLinux }
func (p Process) Logs(context.Context, string, int64, int) (Chunk, error) {
	return Chunk{}, errLinux
}
func (p Process) Forget(context.Context, string) error { return errLinux }

// ShimMain returns 1: there is nothing to be a shim of.
func ShimMain([]string) int { return 1 }

// GangMain returns 1: there is nothing to be a gang of.
func GangMain([]string) int { return 1 }
