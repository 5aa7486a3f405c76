package testenv_test

import (
	"context"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"shopd/internal/platform/testenv"
)

func TestDatabasesAreMigratedAndApart(t *testing.T) {
	t.Parallel()
	urls := map[string]bool{}
	for range 3 {
		url := testenv.Database(t)
		urls[url] = true
		conn, err := pgx.Connect(t.Context(), url)
		require.NoError(t, err)

		var outbox *string
		require.NoError(t, conn.QueryRow(t.Context(), "select to_regclass('platform.outbox')::text").Scan(&outbox))
		require.NotNil(t, outbox, "migrations were applied")
		_, err = conn.Exec(t.Context(), "create table public.mine (id int)")
		require.NoError(t, err, "no other test's table is here")
		require.NoError(t, conn.Close(t.Context()))
	}
	require.Len(t, urls, 3)
}

func TestDatabaseIsDroppedAlthoughConnectionsAreOpen(t *testing.T) {
	t.Parallel()
	needsServices(t)
	var conn *pgx.Conn
	t.Run("a test that leaves its connection open", func(t *testing.T) {
		var err error
		conn, err = pgx.Connect(context.Background(), testenv.Database(t))
		require.NoError(t, err)
	})
	require.Error(t, conn.Ping(t.Context()))
}

func TestRedisDatabasesAreEmptyAndApart(t *testing.T) {
	t.Parallel()
	one, other := testenv.Redis(t), testenv.Redis(t)
	require.NoError(t, one.Set(t.Context(), "shopd:k", "v", 0).Err())
	require.Zero(t, other.Exists(t.Context(), "shopd:k").Val())
	require.Zero(t, other.DBSize(t.Context()).Val())
}

func TestRedisDatabasesAreGivenBack(t *testing.T) {
	t.Parallel()
	// More leases than the server has databases: this only ends when each subtest returns its own.
	for i := range 300 {
		t.Run(fmt.Sprint(i), func(t *testing.T) { testenv.RedisURL(t) })
	}
}

func TestRabbitMQHostIsUsableAndDeleted(t *testing.T) {
	t.Parallel()
	needsServices(t)
	var url string
	t.Run("a test that publishes", func(t *testing.T) {
		url = testenv.RabbitMQ(t)
		conn, err := amqp.Dial(url)
		require.NoError(t, err)
		channel, err := conn.Channel()
		require.NoError(t, err)
		queue, err := channel.QueueDeclare("q", true, false, false, false, amqp.Table{"x-queue-type": "quorum"})
		require.NoError(t, err)
		require.NoError(t, channel.PublishWithContext(t.Context(), "", queue.Name, true, false, amqp.Publishing{Body: []byte("hello")}))
		require.NoError(t, conn.Close())
	})
	_, err := amqp.Dial(url)
	require.Error(t, err)
}

func TestElasticsearchIndicesAreDeleted(t *testing.T) {
	t.Parallel()
	needsServices(t)
	var url, prefix string
	t.Run("a test that indexes", func(t *testing.T) {
		url, prefix = testenv.Elasticsearch(t)
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPut, url+"/"+prefix+"products/_doc/1", strings.NewReader(`{"title":"shoe"}`))
		require.NoError(t, err)
		request.Header.Set("Content-Type", "application/json")
		require.Equal(t, http.StatusCreated, status(t, request))
	})
	request, err := http.NewRequestWithContext(t.Context(), http.MethodHead, url+"/"+prefix+"products", nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusNotFound, status(t, request))
}

func TestMissingServiceIsOneLineWithTheWayOut(t *testing.T) {
	needsServices(t)
	const nobody = "127.0.0.1:1"
	t.Setenv("SHOPD_TEST_DATABASE_URL", "postgres://postgres:secret@"+nobody+"/postgres")
	t.Setenv("SHOPD_TEST_REDIS_URL", "redis://:secret@"+nobody)
	t.Setenv("SHOPD_TEST_RABBITMQ_ADMIN_URL", "http://guest:secret@"+nobody)
	t.Setenv("SHOPD_TEST_ELASTICSEARCH_URL", "http://elastic:secret@"+nobody)

	for service, use := range map[string]func(testing.TB){
		"PostgreSQL":    func(t testing.TB) { testenv.Database(t) },
		"Redis":         func(t testing.TB) { testenv.Redis(t) },
		"RabbitMQ":      func(t testing.TB) { testenv.RabbitMQ(t) },
		"Elasticsearch": func(t testing.TB) { testenv.Elasticsearch(t) },
	} {
		t.Run(service, func(t *testing.T) {
			message := failure(t, use)
			require.Regexp(t, "^"+service+".* does not answer at .*"+nobody+".*make services`$", message)
			require.NotContains(t, message, "\n")
			require.NotContains(t, message, "secret")
		})
	}
}

// needsServices is for tests that look at what a subtest leaves behind: under -short there is no subtest's work.
func needsServices(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("-short leaves out what needs a real service")
	}
}

// failure runs use with a test that it is expected to fail, and returns what it said.
func failure(t *testing.T, use func(testing.TB)) string {
	t.Helper()
	doomed := &doomedTest{TB: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		use(doomed)
	}()
	<-done
	return doomed.message
}

// doomedTest is a test whose failure is only written down.
type doomedTest struct {
	testing.TB
	message string
}

func (d *doomedTest) Fatalf(format string, args ...any) {
	d.message = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

func status(t *testing.T, request *http.Request) int {
	t.Helper()
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	return response.StatusCode
}
