package rig

import (
	"os"
	"runtime"
	"syscall"
)

// nobody is who services run as when we are root.
const nobody = 65534

func attributes(unprivileged bool) *syscall.SysProcAttr {
	a := &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if unprivileged {
		a.Credential = &syscall.Credential{Uid: nobody, Gid: nobody}
	}
	return a
}

func lockThread() { runtime.LockOSThread() }

// own gives a directory to the user who runs the services.
func own(dir string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	return os.Chown(dir, nobody, nobody)
}
