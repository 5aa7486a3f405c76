package testenv

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
)

var sweepRabbitMQ sync.Once

// RabbitMQ returns the URL of a new virtual host, so exchanges and queues are the test's alone. It is deleted when the
// test ends, which closes the connections to it.
func RabbitMQ(t testing.TB) string {
	t.Helper()
	needsService(t)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()

	server, err := url.Parse(setting("SHOPD_TEST_RABBITMQ_URL", "amqp://guest:guest@127.0.0.1:15673/"))
	if err != nil {
		t.Fatalf("read SHOPD_TEST_RABBITMQ_URL: %v", err)
	}
	admin := strings.TrimSuffix(setting("SHOPD_TEST_RABBITMQ_ADMIN_URL", "http://guest:guest@127.0.0.1:15674"), "/")
	if _, err := call(ctx, http.MethodGet, admin+"/api/whoami", nil); err != nil {
		missing(t, "RabbitMQ's management API", admin, err)
	}
	sweepRabbitMQ.Do(func() {
		if err := sweepVhosts(ctx, admin); err != nil {
			t.Logf("remove virtual hosts of earlier runs: %v", err)
		}
	})

	name := newName()
	vhost := admin + "/api/vhosts/" + name
	if _, err := call(ctx, http.MethodPut, vhost, map[string]string{"description": t.Name()}); err != nil {
		t.Fatalf("create the test's virtual host: %v", err)
	}
	cleanup(t, "virtual host "+name, func(ctx context.Context) error {
		_, err := call(ctx, http.MethodDelete, vhost, nil)
		return err
	})
	everything := map[string]string{"configure": ".*", "write": ".*", "read": ".*"}
	permissions := admin + "/api/permissions/" + name + "/" + url.PathEscape(server.User.Username())
	if _, err := call(ctx, http.MethodPut, permissions, everything); err != nil {
		t.Fatalf("open the test's virtual host: %v", err)
	}
	server.Path = "/" + name
	return server.String()
}

func sweepVhosts(ctx context.Context, admin string) error {
	body, err := call(ctx, http.MethodGet, admin+"/api/vhosts?columns=name", nil)
	if err != nil {
		return err
	}
	var vhosts []struct{ Name string }
	if err := json.Unmarshal(body, &vhosts); err != nil {
		return err
	}
	for _, vhost := range vhosts {
		if !stale(vhost.Name) {
			continue
		}
		if _, err := call(ctx, http.MethodDelete, admin+"/api/vhosts/"+vhost.Name, nil); err != nil {
			return err
		}
	}
	return nil
}
