package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"
)

// client is one keep-alive connection. It writes requests as bytes and reads answers in the same goroutine: the client
// of net/http takes as much processor time as a small server, and on a machine that both share it would mostly measure
// itself.
type client struct {
	host   string
	conn   net.Conn
	reader *bufio.Reader
	out    bytes.Buffer
	body   bytes.Buffer
}

const (
	readBuffer = 32 << 10
	// answerPatience bounds one request.
	answerPatience = 30 * time.Second
)

func dial(ctx context.Context, addr string) (*client, error) {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	return &client{host: addr, conn: conn, reader: bufio.NewReaderSize(conn, readBuffer)}, nil
}

func (c *client) close() error { return c.conn.Close() }

// get returns the status; the body is in c.body until the next request.
func (c *client) get(path string, header ...string) (int, error) {
	return c.do("GET", path, nil, header)
}

// send makes a request with a JSON body, and reads a 2xx answer into answer unless that is nil.
func (c *client) send(method, path string, body, answer any, header ...string) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	status, err := c.do(method, path, text, header)
	if err != nil {
		return err
	}
	if status >= http.StatusMultipleChoices {
		return fmt.Errorf("%s %s: %d %s", method, path, status, c.body.Bytes())
	}
	if answer == nil {
		return nil
	}
	return json.Unmarshal(c.body.Bytes(), answer)
}

// do makes one request. header holds names and values in turn.
func (c *client) do(method, path string, body []byte, header []string) (status int, err error) {
	c.out.Reset()
	c.out.WriteString(method + " " + path + " HTTP/1.1\r\nHost: " + c.host + "\r\n")
	for i := 0; i+1 < len(header); i += 2 {
		c.out.WriteString(header[i] + ": " + header[i+1] + "\r\n")
	}
	if body != nil {
		c.out.WriteString("Content-Type: application/json\r\nContent-Length: " + strconv.Itoa(len(body)) + "\r\n")
	}
	c.out.WriteString("\r\n")
	c.out.Write(body)
	if err := c.conn.SetDeadline(time.Now().Add(answerPatience)); err != nil {
		return 0, err
	}
	if _, err := c.conn.Write(c.out.Bytes()); err != nil {
		return 0, err
	}
	response, err := http.ReadResponse(c.reader, nil)
	if err != nil {
		return 0, err
	}
	c.body.Reset()
	_, err = io.Copy(&c.body, response.Body)
	return response.StatusCode, errors.Join(err, response.Body.Close())
}
