package users

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"shopd/internal/platform/crypto"
	"shopd/internal/platform/errs"
	"shopd/internal/platform/httpx"
	"shopd/internal/platform/id"
	"shopd/internal/platform/postgres"
	"shopd/internal/platform/ratelimit"
)

const (
	// system is the actor of what is done on the machine itself.
	system = "system"
	// seenSample is how often the use of a staff session moves its end.
	seenSample = 5 * time.Minute
)

// CreateAdmin makes an owner of the shop, for the command line. Somebody on the staff already becomes an active
// owner. An empty password leaves the account to sign in by link, or with the password it has.
func (s *Service) CreateAdmin(ctx context.Context, email, password string) (StaffID, error) {
	parsed, hash, err := s.staffCredentials(ctx, email, password)
	if err != nil {
		return "", err
	}
	var admin StaffID
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		row, err := staffByEmail(ctx, tx, s.indexes(parsed))
		if errors.Is(err, errs.ErrNotFound) {
			admin, err = s.addStaff(ctx, tx, parsed, "", Owner, hash)
			if err != nil {
				return err
			}
			return s.audit(ctx, tx, system, "staff.created", string(admin), map[string]any{"role": Owner})
		}
		if err != nil {
			return err
		}
		admin = row.ID
		row.Role, row.DisabledAt = Owner, nil
		if hash != "" {
			row.PasswordHash = hash
		}
		if err := updateStaff(ctx, tx, row, s.now()); err != nil {
			return err
		}
		return s.audit(ctx, tx, system, "staff.made_owner", string(admin), nil)
	})
	if err != nil {
		return "", fmt.Errorf("create admin: %w", err)
	}
	return admin, nil
}

// staffCredentials checks an address and a password, which may be empty, and hashes the password.
func (s *Service) staffCredentials(ctx context.Context, email, password string) (Email, string, error) {
	parsed, err := ParseEmail(email)
	if err != nil {
		return "", "", at(ErrInvalidEmail, "/email")
	}
	if password == "" {
		return parsed, "", nil
	}
	if err := CheckPassword(password, parsed); err != nil {
		return "", "", at(errs.As(err), "/password")
	}
	hash, err := s.hasher.hash(ctx, password)
	return parsed, hash, err
}

func (s *Service) addStaff(ctx context.Context, tx pgx.Tx, email Email, name string, role Role, hash string) (StaffID, error) {
	staff := StaffID(id.New("stf"))
	key, err := s.keys.create(ctx, tx, string(staff))
	if err != nil {
		return "", err
	}
	row := staffRow{ID: staff, Role: role, EmailIndex: s.index(email), PasswordHash: hash, CreatedAt: s.now()}
	if row.EmailSealed, err = sealText(key, "staff|email", string(staff), string(email)); err != nil {
		return "", err
	}
	if row.NameSealed, err = sealText(key, "staff|name", string(staff), name); err != nil {
		return "", err
	}
	return staff, insertStaff(ctx, tx, row)
}

// NewStaff is what one member of staff gives to add another. Name and Password may be empty.
type NewStaff struct {
	Email    string
	Name     string
	Role     Role
	Password string
}

// AddStaff adds a member of staff on behalf of actor. It returns ErrForbidden when actor may not hand out the role
// and ErrStaffExists when the address is taken.
func (s *Service) AddStaff(ctx context.Context, actor httpx.Principal, n NewStaff) (Staff, error) {
	if !n.Role.Known() {
		return Staff{}, errs.Validation(errs.Field{Pointer: "/role", Code: "validation_failed", Detail: "is not a role"})
	}
	if wrong := appendWrong(nil, "/name", &n.Name, 0, maxName); wrong != nil {
		return Staff{}, errs.Validation(wrong...)
	}
	email, hash, err := s.staffCredentials(ctx, n.Email, n.Password)
	if err != nil {
		return Staff{}, err
	}
	var added StaffID
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		if err := s.mayGrant(ctx, tx, actor, n.Role); err != nil {
			return err
		}
		if added, err = s.addStaff(ctx, tx, email, n.Name, n.Role, hash); err != nil {
			return err
		}
		return s.audit(ctx, tx, actor.Actor(), "staff.created", string(added), map[string]any{"role": n.Role})
	})
	if err != nil {
		return Staff{}, fmt.Errorf("add staff: %w", err)
	}
	return s.Staff(ctx, added)
}

// mayGrant returns ErrForbidden unless actor, as PostgreSQL knows them now, stands above all the roles.
func (s *Service) mayGrant(ctx context.Context, q postgres.Querier, actor httpx.Principal, wanted ...Role) error {
	if actor.Kind != httpx.Staff {
		return ErrForbidden // an API key must not be able to make people
	}
	row, err := staffByID(ctx, q, StaffID(actor.ID))
	if err != nil {
		return err
	}
	if row.DisabledAt != nil || slices.ContainsFunc(wanted, func(r Role) bool { return !row.Role.mayGrant(r) }) {
		return ErrForbidden
	}
	return nil
}

// SetStaffRole changes what a member of staff may do, at once everywhere. It returns ErrForbidden when actor does
// not stand above both roles and ErrLastAdmin when no active owner would be left.
func (s *Service) SetStaffRole(ctx context.Context, actor httpx.Principal, staff StaffID, role Role) error {
	if !role.Known() {
		return errs.Validation(errs.Field{Pointer: "/role", Code: "validation_failed", Detail: "is not a role"})
	}
	return s.changeStaff(ctx, actor, staff, "staff.role_changed", func(row *staffRow) { row.Role = role })
}

// SetStaffActive lets a member of staff in or keeps them out, at once everywhere. Its errors are those of
// SetStaffRole.
func (s *Service) SetStaffActive(ctx context.Context, actor httpx.Principal, staff StaffID, active bool) error {
	now := s.now()
	action, disabledAt := "staff.disabled", &now
	if active {
		action, disabledAt = "staff.enabled", nil
	}
	return s.changeStaff(ctx, actor, staff, action, func(row *staffRow) { row.DisabledAt = disabledAt })
}

func (s *Service) changeStaff(ctx context.Context, actor httpx.Principal, staff StaffID, action string, change func(*staffRow)) error {
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		owners, err := lockOwners(ctx, tx)
		if err != nil {
			return err
		}
		row, err := staffByID(ctx, tx, staff)
		if err != nil {
			return err
		}
		before := row
		change(&row)
		if err := s.mayGrant(ctx, tx, actor, before.Role, row.Role); err != nil {
			return err
		}
		stays := row.Role == Owner && row.DisabledAt == nil
		if !stays && len(owners) == 1 && owners[0] == staff {
			return ErrLastAdmin
		}
		if err := updateStaff(ctx, tx, row, s.now()); err != nil {
			return err
		}
		if err := revokeStaffSessions(ctx, tx, staff, becauseRole, s.now()); err != nil {
			return err
		}
		if err := deleteStaffTokens(ctx, tx, staff); err != nil {
			return err
		}
		return s.audit(ctx, tx, actor.Actor(), action, string(staff), map[string]any{"role": row.Role})
	})
	if err != nil {
		return fmt.Errorf("change staff %s: %w", staff, err)
	}
	return nil
}

// Staff returns a member of staff, errs.ErrNotFound when there is none.
func (s *Service) Staff(ctx context.Context, staff StaffID) (Staff, error) {
	row, err := staffByID(ctx, s.pool, staff)
	if err != nil {
		return Staff{}, err
	}
	return s.openStaff(ctx, s.pool, row)
}

func (s *Service) openStaff(ctx context.Context, q postgres.Querier, row staffRow) (Staff, error) {
	key, err := s.keys.key(ctx, q, string(row.ID))
	if err != nil {
		return Staff{}, err
	}
	return row.open(key)
}

// ListStaff returns everybody on the staff, the longest-serving first.
func (s *Service) ListStaff(ctx context.Context) ([]Staff, error) {
	rows, err := selectAllStaff(ctx, s.pool)
	if err != nil {
		return nil, fmt.Errorf("list staff: %w", err)
	}
	staff := make([]Staff, 0, len(rows))
	for _, row := range rows {
		opened, err := s.openStaff(ctx, s.pool, row)
		if err != nil {
			return nil, err
		}
		staff = append(staff, opened)
	}
	return staff, nil
}

// IssueLoginLink makes a token that signs a member of staff in once, within ttl. Links made before stay good.
func (s *Service) IssueLoginLink(ctx context.Context, staff StaffID, ttl time.Duration) (string, error) {
	row, err := staffByID(ctx, s.pool, staff)
	if err != nil {
		return "", err
	}
	now, token := s.now(), crypto.RandomToken(tokenBytes)
	err = insertOneTimeToken(ctx, s.pool, oneTimeToken{
		Hash: crypto.HashToken(token), Purpose: staffLogin, StaffID: &staff, EmailIndex: row.EmailIndex, ExpiresAt: now.Add(ttl),
	}, now)
	if err != nil {
		return "", fmt.Errorf("store a login link: %w", err)
	}
	return token, nil
}

// LoginWithLink signs in by the token of a login link. It returns ErrExpiredToken for one that is used or expired.
func (s *Service) LoginWithLink(ctx context.Context, token string) (StaffSession, error) {
	var session StaffSession
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		t, err := redeemStaffToken(ctx, tx, crypto.HashToken(token), staffLogin, s.now())
		if err != nil {
			return err
		}
		row, err := staffByID(ctx, tx, *t.StaffID)
		if err != nil {
			return err
		}
		session, err = s.openStaffSession(ctx, tx, row, "staff.login_by_link")
		return err
	})
	return session, err
}

// LoginStaff signs in with a password. It returns ErrInvalidCredentials for an unknown address, a wrong password
// and an account that is disabled, in the same time.
func (s *Service) LoginStaff(ctx context.Context, email, password string) (StaffSession, error) {
	row, err := s.checkStaffPassword(ctx, email, password)
	s.metrics.logins.WithLabelValues("staff", outcome(err)).Inc()
	if err != nil {
		return StaffSession{}, err
	}
	var session StaffSession
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		session, err = s.openStaffSession(ctx, tx, row, "staff.login")
		return err
	})
	return session, err
}

func (s *Service) checkStaffPassword(ctx context.Context, email, password string) (staffRow, error) {
	parsed, err := ParseEmail(email)
	if err != nil {
		parsed = "" // nobody has it, and finding that out takes as long as for any other
	}
	if err := s.limiter.Check(ctx, ratelimit.Login, "staff:"+s.accountKey(parsed)); err != nil {
		return staffRow{}, err
	}
	row, err := staffByEmail(ctx, s.pool, s.indexes(parsed))
	if err != nil && !errors.Is(err, errs.ErrNotFound) {
		return row, fmt.Errorf("look up an address: %w", err)
	}
	ok, err := s.hasher.matches(ctx, row.PasswordHash, password)
	if err != nil {
		return row, err
	}
	if !ok || row.DisabledAt != nil {
		return row, ErrInvalidCredentials
	}
	if s.hasher.outdated(row.PasswordHash) {
		s.rehash(ctx, password, func(hash string) error { return refreshStaffHash(ctx, s.pool, row.ID, row.PasswordHash, hash) })
	}
	return row, nil
}

func (s *Service) openStaffSession(ctx context.Context, tx pgx.Tx, row staffRow, action string) (StaffSession, error) {
	staff, err := s.openStaff(ctx, tx, row)
	if err != nil {
		return StaffSession{}, err
	}
	now, token, session := s.now(), crypto.RandomToken(tokenBytes), id.New("ses")
	expires := now.Add(s.config.StaffSessionTTL)
	if err := insertStaffSession(ctx, tx, session, crypto.HashToken(token), row, now, expires); err != nil {
		return StaffSession{}, err
	}
	if err := s.audit(ctx, tx, "staff:"+string(row.ID), action, string(row.ID), nil); err != nil {
		return StaffSession{}, err
	}
	return StaffSession{Token: token, ExpiresAt: expires, Staff: staff}, nil
}

// AuthenticateStaff says whose session cookie it is, and what they may do by PostgreSQL's newest word: a changed
// role or an ended session counts at once everywhere. It returns ErrInvalidToken for an unknown cookie and
// ErrSessionRevoked for a session that has ended.
func (s *Service) AuthenticateStaff(ctx context.Context, cookieToken string) (httpx.Principal, error) {
	if strings.TrimSpace(cookieToken) == "" {
		return httpx.Principal{}, ErrInvalidToken
	}
	now := s.now()
	session, err := staffSessionByToken(ctx, s.pool, crypto.HashToken(cookieToken), now)
	if err != nil {
		return httpx.Principal{}, err
	}
	if session.Ended {
		return httpx.Principal{}, ErrSessionRevoked
	}
	if now.Sub(session.LastSeenAt) > min(seenSample, s.config.StaffSessionTTL/10) {
		if err := extendSession(ctx, s.pool, session.ID, now, now.Add(s.config.StaffSessionTTL)); err != nil {
			s.log.WarnContext(ctx, "staff session not extended", "error", err, "session_id", session.ID)
		}
	}
	return httpx.Principal{Kind: httpx.Staff, ID: string(session.StaffID), SessionID: session.ID, Scopes: session.Role.Scopes()}, nil
}

// LogoutStaff ends a session of a member of staff.
func (s *Service) LogoutStaff(ctx context.Context, session string) error {
	return revokeSession(ctx, s.pool, session, becauseLogout, s.now())
}
