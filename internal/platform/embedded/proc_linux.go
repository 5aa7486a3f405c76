package embedded

import "syscall"

// dieWithParent ends the server at once when its keeper is killed and can no longer stop it.
func dieWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGQUIT}
}

// executable is this program for a user who may not be able to walk to path.
func executable(string) string { return "/proc/self/exe" }
