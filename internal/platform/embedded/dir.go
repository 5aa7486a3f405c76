package embedded

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// lockName is the file whose lock says that a process uses the directory, and whose presence says that the directory
// is a data directory of ours.
const lockName = "shopd.lock"

// Dir is a data directory that belongs to this process until Close, or until the process ends in whatever way.
type Dir struct {
	path string
	lock *os.File
}

// InUseError says that another process has the data directory.
type InUseError struct {
	Path string
	PID  int // 0 when it is not known
}

// Error tells how to go on.
func (e *InUseError) Error() string {
	who := "another shopd"
	if e.PID > 0 {
		who = fmt.Sprintf("another shopd (process %d)", e.PID)
	}
	return fmt.Sprintf("%s is using %s: stop it, or start this one on a directory of its own with --data DIR", who, e.Path)
}

// DefaultDir is where a demo keeps its data when nobody says otherwise: $XDG_DATA_HOME/shopd/demo,
// ~/.local/share/shopd/demo, or for root /var/lib/shopd/demo, which the database's unprivileged user can reach.
func DefaultDir() (string, error) {
	if base := os.Getenv("XDG_DATA_HOME"); filepath.IsAbs(base) {
		return filepath.Join(base, "shopd", "demo"), nil
	}
	if os.Geteuid() == 0 {
		return filepath.Join(systemDataDir, "demo"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("find a place for the data: %w; say where with --data DIR", err)
	}
	return filepath.Join(home, ".local", "share", "shopd", "demo"), nil
}

// OpenDir makes the directory when it is missing and takes it for this process. The error is an *InUseError when
// another process has it. A directory with files of somebody else in it is refused.
func OpenDir(path string) (*Dir, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("find the data directory: %w", err)
	}
	if err := os.MkdirAll(path, 0o711); err != nil {
		return nil, fmt.Errorf("make the data directory: %w; say another one with --data DIR", err)
	}
	if err := refuseForeign(path); err != nil {
		return nil, err
	}
	lock, err := os.OpenFile(filepath.Join(path, lockName), os.O_RDWR|os.O_CREATE, 0o644) //nolint:gosec // others may read who runs
	if err != nil {
		return nil, fmt.Errorf("lock the data directory: %w; say another one with --data DIR", err)
	}
	if err := lockSoon(lock); err != nil {
		pid := readPID(lock.Name())
		return nil, errors.Join(&InUseError{Path: path, PID: pid}, lock.Close())
	}
	d := &Dir{path: path, lock: lock}
	if err := d.writePID(); err != nil {
		return nil, errors.Join(fmt.Errorf("lock the data directory: %w", err), lock.Close())
	}
	return d, nil
}

func refuseForeign(path string) error {
	entries, err := os.ReadDir(path)
	if err != nil {
		return fmt.Errorf("read the data directory: %w", err)
	}
	for _, e := range entries {
		if e.Name() == lockName {
			return nil
		}
	}
	if len(entries) > 0 {
		return fmt.Errorf("%s holds files that are not a shop's: give a new or empty directory with --data DIR", path)
	}
	return nil
}

func (d *Dir) writePID() error {
	if err := d.lock.Truncate(0); err != nil {
		return err
	}
	_, err := d.lock.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	return err
}

// Path is the absolute path of the directory.
func (d *Dir) Path() string { return d.path }

// Join is a path inside the directory.
func (d *Dir) Join(elem ...string) string {
	return filepath.Join(append([]string{d.path}, elem...)...)
}

// Reset removes everything in the directory. Nothing may be running on it.
func (d *Dir) Reset() error {
	if err := removePostgres(d.path); err != nil {
		return err
	}
	entries, err := os.ReadDir(d.path)
	if err != nil {
		return fmt.Errorf("read the data directory: %w", err)
	}
	for _, e := range entries {
		if e.Name() == lockName {
			continue
		}
		if err := os.RemoveAll(d.Join(e.Name())); err != nil {
			return fmt.Errorf("empty the data directory: %w", err)
		}
	}
	return nil
}

// Close gives the directory back; its content stays.
func (d *Dir) Close() error { return d.lock.Close() }

// Running reports which process has the data directory; false when none has.
func Running(path string) (pid int, running bool) {
	lock, err := os.Open(filepath.Join(path, lockName))
	if err != nil {
		return 0, false
	}
	defer func() { _ = lock.Close() }() // it was only looked at
	if tryLock(lock) == nil {
		return 0, false
	}
	return readPID(lock.Name()), true
}

// tryLock takes the lock of the open file without waiting. It ends when the file is closed by everybody who has it
// open, so it cannot be left behind by a process that was killed.
func tryLock(f *os.File) error {
	return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
}

// lockSoon is tryLock with patience for a Running that is just looking.
func lockSoon(f *os.File) error {
	err := tryLock(f)
	for tries := 0; err != nil && tries < 10; tries++ {
		time.Sleep(20 * time.Millisecond)
		err = tryLock(f)
	}
	return err
}

// readPID is the number in the first line of the file, 0 when there is none.
func readPID(path string) int {
	content, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	first, _, _ := strings.Cut(string(content), "\n")
	pid, err := strconv.Atoi(strings.TrimSpace(first))
	if err != nil || pid < 0 {
		return 0
	}
	return pid
}
