package crash_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"shopd/internal/platform/crash"
)

const armedWith = "CRASH_TEST_AT"

// TestMain passes a point twice when it is told to, in a process of its own.
func TestMain(m *testing.M) {
	spec := os.Getenv(armedWith)
	if spec == "" {
		os.Exit(m.Run())
	}
	if err := crash.Arm(spec); err != nil {
		os.Exit(2)
	}
	crash.At("key.claimed")
	os.Stdout.WriteString("once ")
	crash.At("key.claimed")
	os.Stdout.WriteString("twice")
}

func TestTheProcessDiesAtItsPoint(t *testing.T) {
	t.Parallel()
	for spec, said := range map[string]string{"key.claimed": "", "key.claimed:2": "once ", "key.claimed:3": "once twice", "key.done": "once twice"} {
		cmd := exec.CommandContext(t.Context(), os.Args[0])
		cmd.Env = append(os.Environ(), armedWith+"="+spec)
		out, err := cmd.Output()
		require.Equal(t, said, string(out), spec)
		if said == "once twice" {
			require.NoError(t, err)
			continue
		}
		status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus)
		require.True(t, ok)
		require.Equal(t, syscall.SIGKILL, status.Signal(), "nothing deferred runs")
	}
}

func TestUnknownPointsAreRefused(t *testing.T) {
	t.Parallel()
	for _, spec := range []string{"key.lost", "key.claimed:0", "key.claimed:x"} {
		require.Error(t, crash.Arm(spec), spec)
	}
}

// A point that is listed and passed nowhere would let a sweep believe that it has tried it.
func TestEveryPointIsInTheCode(t *testing.T) {
	t.Parallel()
	call := regexp.MustCompile(`crash\.At\("([^"]+)"\)`)
	var passed []string
	require.NoError(t, filepath.WalkDir("../..", func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		source, err := os.ReadFile(path)
		for _, m := range call.FindAllStringSubmatch(string(source), -1) {
			passed = append(passed, m[1])
		}
		return err
	}))
	slices.Sort(passed)
	require.Equal(t, slices.Sorted(slices.Values(crash.Points)), slices.Compact(passed))
}
