package users

import (
	"time"

	"shopd/internal/platform/errs"
)

type CustomerID string
type AddressID string
type Email string

type Registration struct{ Email, Password, Name string }
type Tokens struct {
	AccessToken  string
	ExpiresIn    time.Duration
	RefreshToken string
	SessionID    string
}
type Customer struct {
	ID          CustomerID
	Email       Email
	Name, Phone string
}
type Address struct {
	ID        AddressID
	IsDefault bool
	PostalAddress
}
type PostalAddress struct {
	Name, Line1, Line2, City, Region, PostalCode, Country, Phone string
}

var ErrInvalidCredentials = errs.New(errs.Unauthenticated, "invalid_credentials", "The e-mail address or the password is wrong.")
