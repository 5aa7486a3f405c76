package cache

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// Connect returns a client for SHOPD_REDIS_URL without waiting for the server: one URL is a single server, a comma
// list a Cluster, and redis+sentinel://[user:password@]host:port,host:port/master[/database] what Sentinels watch.
// Every call of the client ends with its context's deadline.
func Connect(address string) (redis.UniversalClient, error) {
	options, err := parse(address)
	if err != nil {
		return nil, err
	}
	options.ContextTimeoutEnabled = true
	options.DialTimeout = time.Second
	options.ReadTimeout = time.Second
	options.WriteTimeout = time.Second
	options.PoolTimeout = time.Second
	options.MaxRetries = 1
	options.DialerRetries = 1
	options.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	return redis.NewUniversalClient(options), nil
}

func parse(address string) (*redis.UniversalOptions, error) {
	if strings.HasPrefix(address, "redis+sentinel://") || strings.HasPrefix(address, "rediss+sentinel://") {
		return parseSentinel(address)
	}
	var all *redis.UniversalOptions
	for part := range strings.SplitSeq(address, ",") {
		one, err := redis.ParseURL(strings.TrimSpace(part))
		if err != nil {
			return nil, errors.New("read SHOPD_REDIS_URL: it is not redis://[user:password@]host:port/database")
		}
		if all == nil {
			all = &redis.UniversalOptions{Username: one.Username, Password: one.Password, DB: one.DB, TLSConfig: one.TLSConfig}
		}
		all.Addrs = append(all.Addrs, one.Addr)
	}
	all.IsClusterMode = len(all.Addrs) > 1
	return all, nil
}

// parseSentinel takes the hosts apart by hand: a URL has only one.
func parseSentinel(address string) (*redis.UniversalOptions, error) {
	scheme, rest, _ := strings.Cut(address, "://")
	hosts, path, _ := strings.Cut(rest, "/")
	credentials := ""
	if at := strings.LastIndex(hosts, "@"); at >= 0 {
		credentials, hosts = hosts[:at+1], hosts[at+1:]
	}
	master, database, _ := strings.Cut(path, "/")
	if hosts == "" || master == "" {
		return nil, errors.New("read SHOPD_REDIS_URL: it is not redis+sentinel://host:26379,host:26379/master")
	}
	plain := url.URL{Path: "/" + database}
	one, err := redis.ParseURL(fmt.Sprintf("%s://%shost%s", strings.TrimSuffix(scheme, "+sentinel"), credentials, plain.EscapedPath()))
	if err != nil {
		return nil, errors.New("read SHOPD_REDIS_URL: user, password or database is not readable")
	}
	return &redis.UniversalOptions{
		Addrs: strings.Split(hosts, ","), MasterName: master, Username: one.Username, Password: one.Password,
		SentinelUsername: one.Username, SentinelPassword: one.Password, DB: one.DB, TLSConfig: one.TLSConfig,
	}, nil
}
