package users

import "shopd/internal/platform/errs"

// What can go wrong with accounts. Each says no more than a stranger may know.
var (
	ErrInvalidToken       = errs.New(errs.Unauthenticated, "invalid_token", "The access token is not valid.")
	ErrSessionRevoked     = errs.New(errs.Unauthenticated, "session_revoked", "This session has ended. Sign in again.")
	ErrRefreshReused      = errs.New(errs.Unauthenticated, "refresh_reused", "The refresh token was used before, so its session has been ended. Sign in again.")
	ErrInvalidCredentials = errs.New(errs.Unauthenticated, "invalid_credentials", "The e-mail address or the password is wrong.")
	ErrWrongPassword      = errs.New(errs.Forbidden, "wrong_password", "The password is wrong.")
	ErrAccountDisabled    = errs.New(errs.Forbidden, "account_disabled", "This account is disabled. Please contact the shop.")
	ErrExpiredToken       = errs.New(errs.Malformed, "invalid_or_expired_token", "This link is not valid any more. Ask for a new one.")

	ErrPasswordTooShort    = errs.New(errs.Invalid, "password_too_short", "The password needs at least 8 characters.")
	ErrPasswordTooLong     = errs.New(errs.Invalid, "password_too_long", "The password may have at most 1,000 bytes.")
	ErrPasswordCompromised = errs.New(errs.Invalid, "password_compromised", "This password is easy to guess. Choose another one.")
	ErrInvalidEmail        = errs.New(errs.Invalid, "invalid_email", "This is not an e-mail address we can write to.")
	ErrAddressLimit        = errs.New(errs.Invalid, "address_limit", "There is no room for more addresses. Delete one first.")

	ErrForbidden   = errs.New(errs.Forbidden, "forbidden", "You may not do this.")
	ErrLastAdmin   = errs.New(errs.Conflict, "last_admin", "The shop needs at least one active owner.")
	ErrStaffExists = errs.New(errs.Conflict, "staff_exists", "There is already a member of staff with this e-mail address.")

	// ErrBusy is for work with passwords that would have to wait too long for its turn.
	ErrBusy = errs.New(errs.Unavailable, "busy", "Too many people are signing in right now. Try again in a moment.")
)

// at returns err with the body field it is about.
func at(err *errs.Error, pointer string) error {
	return err.WithFields(errs.Field{Pointer: pointer, Code: err.Code, Detail: err.Detail})
}
