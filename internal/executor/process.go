package executor

// Process runs tasks as processes of this machine, each below a shim that
// outlives the caller. It holds no state of its own: two of them on one Root,
// at once or one after the other, are the same engine.
type Process struct {
	// Root is the directory that holds one directory for each task. It must be
	// on a local file system and the caller's alone.
	Root string
	// Shim is the beginning of the command that runs ShimMain, such as
	// /proc/self/exe shim. The task's directory is added to it.
	Shim []string

	// crash is called with the name of each step of Start, so that a test can
	// end the caller between any two. Nil outside tests.
	crash func(step string)
	// shimEnv is added to the environment of the shim, for the same purpose.
	shimEnv []string
}

// ShimEnv is set to 1 in the environment of each shim, so that a binary without
// subcommands can tell that it was started as one.
const ShimEnv = "CLUSY_SHIM"

func (p Process) step(name string) {
	if p.crash != nil {
		p.crash(name)
	}
}
