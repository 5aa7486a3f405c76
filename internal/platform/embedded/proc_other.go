//go:build !linux

package embedded

import "syscall"

// dieWithParent has no counterpart here: a server whose keeper was killed is stopped by the next start.
func dieWithParent() *syscall.SysProcAttr { return &syscall.SysProcAttr{} }

// executable is this program.
func executable(path string) string { return path }
