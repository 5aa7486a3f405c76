package app

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// call is one request of onTheLastByte.
type call struct {
	base, path string
	body       any
	header     http.Header
}

// onTheLastByte sends POST requests over connections of their own, each up to its last byte, then all the last bytes at
// once: the shop works on them at the same moment, however long it took to send them.
func onTheLastByte(t *testing.T, calls []call) []*reply {
	t.Helper()
	conns, lasts := make([]net.Conn, len(calls)), make([][]byte, len(calls))
	for i, c := range calls {
		content, err := json.Marshal(c.body)
		require.NoError(t, err)
		u, err := url.Parse(c.base)
		require.NoError(t, err)
		var text bytes.Buffer
		fmt.Fprintf(&text, "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n", c.path, u.Host, len(content))
		require.NoError(t, c.header.Write(&text))
		text.WriteString("\r\n")
		text.Write(content)
		conns[i], err = net.Dial("tcp", u.Host)
		require.NoError(t, err)
		t.Cleanup(func() { _ = conns[i].Close() }) // closed by the shop as well
		all := text.Bytes()
		lasts[i] = all[len(all)-1:]
		_, err = conns[i].Write(all[:len(all)-1])
		require.NoError(t, err)
	}
	replies, failures := make([]*reply, len(calls)), make([]error, len(calls))
	var group sync.WaitGroup
	for i := range calls {
		group.Go(func() {
			replies[i], failures[i] = finish(conns[i], lasts[i])
		})
	}
	group.Wait()
	for i, err := range failures {
		require.NoError(t, err)
		replies[i].t = t
	}
	return replies
}

func finish(conn net.Conn, last []byte) (*reply, error) {
	if err := conn.SetDeadline(time.Now().Add(2 * time.Minute)); err != nil {
		return nil, err
	}
	if _, err := conn.Write(last); err != nil {
		return nil, err
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return &reply{status: res.StatusCode, header: res.Header, body: body}, err
}
