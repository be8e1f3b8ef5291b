//go:build !unix

package main

import "time"

// cpuTime is not known here; 0 is shown as nothing.
func cpuTime() time.Duration { return 0 }

// peakMemory is not known here; 0 is shown as nothing.
func peakMemory() int64 { return 0 }
