package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"net"
	"syscall"
)

// Listen opens a TCP listener. The error of a busy or forbidden port says how to choose another one, by the flag and
// the setting that the address came from.
func Listen(addr, flag, setting string) (net.Listener, error) {
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", addr)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("address %s is in use%s. Choose another with %s or %s, e.g. %s :0", addr, by(addr), flag, setting, flag)
	case errors.Is(err, syscall.EACCES):
		return nil, fmt.Errorf("address %s needs more rights than we have. Choose a port above 1023 with %s or %s, e.g. %s :8080", addr, flag, setting, flag)
	case err != nil:
		return nil, fmt.Errorf("listen on %s: %w. Choose another with %s or %s, e.g. %s :0", addr, err, flag, setting, flag)
	}
	return l, nil
}

func by(addr string) string {
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return ""
	}
	if name := listenerOn(port); name != "" {
		return " by " + name
	}
	return ""
}
