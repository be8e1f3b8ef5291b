//go:build unix

package main

import (
	"runtime"
	"syscall"
	"time"
)

// cpuTime returns how much processor time this process has taken so far.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// peakMemory returns how many bytes of memory this process has held at most so
// far.
func peakMemory() int64 {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	if runtime.GOOS == "darwin" || runtime.GOOS == "ios" {
		return u.Maxrss // in bytes there, in kilobytes elsewhere
	}
	return u.Maxrss * 1024
}
