package executor_test

import (
	"testing"

	"clusy.io/clusy/internal/executor"
	"clusy.io/clusy/internal/executor/executortest"
)

func TestProcess(t *testing.T) {
	executortest.Test(t, func(t *testing.T, root string) executor.Executor {
		return executor.EngineOfTest(root)
	})
}
