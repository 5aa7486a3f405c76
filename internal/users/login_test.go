package users_test

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"shopd/internal/platform/errs"
	"shopd/internal/platform/httpx"
	"shopd/internal/platform/ratelimit"
	"shopd/internal/users"
)

func TestRegisterLoginAuthenticate(t *testing.T) {
	t.Parallel()
	b := setup(t)
	customer := b.register(t)
	tokens, c, err := b.Login(t.Context(), " ADA@Example.com ", password)
	require.NoError(t, err)
	require.Equal(t, customer, c.ID)
	require.Equal(t, "Ada Lovelace", c.Name)
	require.EqualValues(t, address, c.Email)
	require.False(t, c.EmailVerified)
	require.Equal(t, 10*time.Minute, tokens.ExpiresIn)

	p, err := b.Authenticate(t.Context(), tokens.AccessToken)
	require.NoError(t, err)
	require.Equal(t, httpx.Principal{Kind: httpx.Customer, ID: string(customer), SessionID: tokens.SessionID}, p)

	require.EqualValues(t, 1, scalar[int64](t, b, "select count(*) from platform.outbox where type = 'users.customer_registered.v1' and aggregate_id = $1", customer))
}

func TestLoginTellsNothingAboutAddresses(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.register(t)
	for name, email := range map[string]string{"wrong password": address, "unknown address": "bob@example.com", "no address at all": "bob\r\nBcc: x@y.z"} {
		_, _, err := b.Login(t.Context(), email, "not the password")
		require.ErrorIs(t, err, users.ErrInvalidCredentials, name)
		require.Equal(t, users.ErrInvalidCredentials.Detail, errs.As(err).Detail, name)
		require.Empty(t, errs.As(err).Fields, name)
	}
}

func TestLoginIsLimitedByAccountBeforeHashing(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.register(t)
	tokens := b.login(t)
	var keys []string
	limited := b.replica(t, options{limiter: func(class ratelimit.Class, key string) error {
		require.Equal(t, ratelimit.Login, class)
		keys = append(keys, key)
		return ratelimit.ErrLimited
	}})
	for _, spelling := range []string{address, "ADA@EXAMPLE.COM", " ada@example.com"} {
		_, _, err := limited.Login(t.Context(), spelling, password)
		require.ErrorIs(t, err, ratelimit.ErrLimited)
	}
	require.Equal(t, keys[0], keys[1])
	require.Equal(t, keys[0], keys[2])
	require.NotContains(t, keys[0], "ada", "the limiter's key must not say the address")
	accepted(t, limited, tokens.AccessToken)
}

func TestRefreshRotatesAndReuseEndsTheSession(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.register(t)
	other := b.replica(t, options{})
	first := b.login(t)

	second, err := other.Refresh(t.Context(), first.RefreshToken)
	require.NoError(t, err)
	require.NotEqual(t, first.RefreshToken, second.RefreshToken)
	require.Equal(t, first.SessionID, second.SessionID)

	b.clock.advance(9 * time.Second)
	again, err := b.Refresh(t.Context(), first.RefreshToken)
	require.NoError(t, err, "an answer may have been lost")
	require.Equal(t, second.RefreshToken, again.RefreshToken, "the same successor: no fork")

	b.clock.advance(2 * time.Second)
	accepted(t, b.Service, second.AccessToken)
	_, err = b.Refresh(t.Context(), first.RefreshToken)
	require.ErrorIs(t, err, users.ErrRefreshReused)

	for _, replica := range []*users.Service{b.Service, other} {
		refused(t, replica, second.AccessToken, "session_revoked")
		_, err = replica.Refresh(t.Context(), second.RefreshToken)
		require.ErrorIs(t, err, users.ErrSessionRevoked, "the whole family is dead")
	}
}

func TestRefreshRacedTwentyWays(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.register(t)
	replicas := []*users.Service{b.Service, b.replica(t, options{})}
	first := b.login(t)

	const racers = 20
	successors := make([]string, racers)
	failures := make([]error, racers)
	start := make(chan struct{})
	var group sync.WaitGroup
	for i := range racers {
		group.Go(func() {
			<-start
			tokens, err := replicas[i%2].Refresh(t.Context(), first.RefreshToken)
			successors[i], failures[i] = tokens.RefreshToken, err
		})
	}
	close(start)
	group.Wait()
	for i := range racers {
		require.NoError(t, failures[i])
		require.Equal(t, successors[0], successors[i])
	}
	require.EqualValues(t, 2, scalar[int64](t, b, "select count(*) from users.refresh_tokens"), "the token and its one successor")
}

func TestRefreshRefuses(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.register(t)
	tokens := b.login(t)
	_, err := b.Refresh(t.Context(), tokens.AccessToken)
	require.ErrorIs(t, err, users.ErrInvalidToken, "an access token is no refresh token")
	refused(t, b.Service, tokens.RefreshToken, "invalid_token")
	_, err = b.Refresh(t.Context(), "")
	require.ErrorIs(t, err, users.ErrInvalidToken)

	b.clock.advance(31 * 24 * time.Hour)
	_, err = b.Refresh(t.Context(), tokens.RefreshToken)
	require.Error(t, err)
	require.Equal(t, errs.Unauthenticated, errs.KindOf(err), "a session nobody used for a month is over")
}

func TestAccessTokenEndsByItself(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.register(t)
	tokens := b.login(t)
	b.clock.advance(9 * time.Minute)
	accepted(t, b.Service, tokens.AccessToken)
	b.clock.advance(time.Minute + time.Second)
	refused(t, b.Service, tokens.AccessToken, "invalid_token")
}

// TestRevocationHoldsOnEveryReplica ends a session in each way there is, while the other replica has it cached,
// with Redis working, flushed and out of reach.
func TestRevocationHoldsOnEveryReplica(t *testing.T) {
	t.Parallel()
	ends := map[string]struct {
		end  func(t *testing.T, b *bundle, customer users.CustomerID, tokens users.Tokens)
		code string
	}{
		"logout": {func(t *testing.T, b *bundle, _ users.CustomerID, tokens users.Tokens) {
			require.NoError(t, b.Logout(t.Context(), tokens.SessionID))
		}, "session_revoked"},
		"logout by refresh token": {func(t *testing.T, b *bundle, _ users.CustomerID, tokens users.Tokens) {
			require.NoError(t, b.LogoutByRefreshToken(t.Context(), tokens.RefreshToken))
		}, "session_revoked"},
		"password reset": {func(t *testing.T, b *bundle, _ users.CustomerID, _ users.Tokens) {
			require.NoError(t, b.RequestPasswordReset(t.Context(), address))
			require.NoError(t, b.ResetPassword(t.Context(), b.mails.token(t, "password_reset"), "another walk at dawn"))
		}, "session_revoked"},
		"account disabled": {func(t *testing.T, b *bundle, customer users.CustomerID, _ users.Tokens) {
			require.NoError(t, b.SetCustomerActive(t.Context(), customer, false, "staff:stf_1"))
		}, ""},
		"account erased": {func(t *testing.T, b *bundle, customer users.CustomerID, _ users.Tokens) {
			require.NoError(t, b.EraseMe(t.Context(), customer, password))
		}, ""},
	}
	for name, way := range ends {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			customer := b.register(t)
			other := b.replica(t, options{})
			withoutRedis := b.replica(t, options{redisURL: "redis://127.0.0.1:15999"})
			tokens := b.login(t)
			for range 2 {
				accepted(t, b.Service, tokens.AccessToken)
				accepted(t, other, tokens.AccessToken)
				accepted(t, withoutRedis, tokens.AccessToken)
			}

			way.end(t, b, customer, tokens)
			for _, replica := range []*users.Service{b.Service, other, withoutRedis} {
				_, err := replica.Authenticate(t.Context(), tokens.AccessToken)
				require.Equal(t, errs.Unauthenticated, errs.KindOf(err))
				if way.code != "" {
					require.Equal(t, way.code, errs.As(err).Code)
				}
			}
			require.NoError(t, b.redis.FlushDB(t.Context()).Err())
			for range 2 {
				_, err := other.Authenticate(t.Context(), tokens.AccessToken)
				require.Equal(t, errs.Unauthenticated, errs.KindOf(err), "Redis was flushed")
			}
			_, err := other.Refresh(t.Context(), tokens.RefreshToken)
			require.ErrorIs(t, err, users.ErrSessionRevoked)
		})
	}
}

// TestRevocationByAReplicaThatCannotReachRedis is the one case in which others may lag, by the life of their cache.
func TestRevocationByAReplicaThatCannotReachRedis(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.register(t)
	cutOff := b.replica(t, options{redisURL: "redis://127.0.0.1:15999"})
	tokens := b.login(t)
	accepted(t, b.Service, tokens.AccessToken)
	ttl, err := b.redis.TTL(t.Context(), "shopd:session:"+tokens.SessionID).Result()
	require.NoError(t, err)
	require.LessOrEqual(t, ttl, 5*time.Second)

	require.NoError(t, cutOff.Logout(t.Context(), tokens.SessionID))
	refused(t, cutOff, tokens.AccessToken, "session_revoked")
	require.Eventually(t, func() bool {
		_, err := b.Authenticate(t.Context(), tokens.AccessToken)
		return err != nil
	}, 30*time.Second, 100*time.Millisecond)
}

func TestEndedSessionIsNotCachedBackToLife(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.register(t)
	tokens := b.login(t)
	require.NoError(t, b.Logout(t.Context(), tokens.SessionID))
	ttl, err := b.redis.TTL(t.Context(), "shopd:session:"+tokens.SessionID).Result()
	require.NoError(t, err)
	require.Greater(t, ttl, users.MaxAccessTokenTTL, "the mark outlives every access token, so no late reader can overwrite it")
}

func TestLoginDuringPasswordResetLeavesNoSession(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.register(t)
	require.NoError(t, b.RequestPasswordReset(t.Context(), address))
	token := b.mails.token(t, "password_reset")

	var group sync.WaitGroup
	var mu sync.Mutex
	var opened []users.Tokens
	for range 8 {
		group.Go(func() {
			tokens, _, err := b.Login(t.Context(), address, password)
			if err == nil {
				mu.Lock()
				defer mu.Unlock()
				opened = append(opened, tokens)
			}
		})
	}
	var resetErr error
	group.Go(func() { resetErr = b.ResetPassword(t.Context(), token, "another walk at dawn") })
	group.Wait()
	require.NoError(t, resetErr)
	_, _, err := b.Login(t.Context(), address, "another walk at dawn")
	require.NoError(t, err, "the reset went through")
	for _, tokens := range opened {
		refused(t, b.Service, tokens.AccessToken, "session_revoked")
	}
}
