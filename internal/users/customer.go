package users

import (
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"shopd/internal/platform/errs"
)

// CustomerID names a customer: "cus_…".
type CustomerID string

// Status says what a customer may do.
type Status string

// The states of a customer. Only Active ones sign in; Erased ones are an id and dates, for ever.
const (
	Active   Status = "active"
	Disabled Status = "disabled"
	Erased   Status = "erased"
)

// Customer is somebody with an account, in clear. Name and Phone may be empty.
type Customer struct {
	ID            CustomerID
	Status        Status
	Email         Email
	EmailVerified bool
	Name          string
	Phone         string
	Version       int64
	CreatedAt     time.Time
}

// CustomerChange is what a customer may change about themselves; nil leaves a field as it is, "" empties it.
type CustomerChange struct {
	Name  *string
	Phone *string
}

func (c *CustomerChange) clean() error {
	var wrong []errs.Field
	for _, f := range []struct {
		pointer string
		value   *string
		most    int
	}{{"/name", c.Name, maxName}, {"/phone", c.Phone, maxPhone}} {
		if f.value != nil {
			wrong = appendWrong(wrong, f.pointer, f.value, 0, f.most)
		}
	}
	if wrong != nil {
		return errs.Validation(wrong...)
	}
	return nil
}

// Lengths in characters.
const (
	maxName  = 100
	maxPhone = 40
	maxLine  = 200
)

// AddressID names an address: "addr_…".
type AddressID string

// Address is where a customer lets things be sent to.
type Address struct {
	ID        AddressID
	IsDefault bool
	PostalAddress
	CreatedAt time.Time
	UpdatedAt time.Time
}

// PostalAddress is what is sealed as one. Line2, Region, PostalCode and Phone may be empty.
type PostalAddress struct {
	Name       string `json:"name"`
	Line1      string `json:"line1"`
	Line2      string `json:"line2,omitempty"`
	City       string `json:"city"`
	Region     string `json:"region,omitempty"`
	PostalCode string `json:"postal_code,omitempty"`
	Country    string `json:"country"` // ISO 3166-1 alpha-2, upper case
	Phone      string `json:"phone,omitempty"`
}

// clean trims the parts of a and refuses what cannot stand on a parcel.
func (a *PostalAddress) clean() error {
	var wrong []errs.Field
	wrong = appendWrong(wrong, "/name", &a.Name, 1, maxName)
	wrong = appendWrong(wrong, "/line1", &a.Line1, 1, maxLine)
	wrong = appendWrong(wrong, "/line2", &a.Line2, 0, maxLine)
	wrong = appendWrong(wrong, "/city", &a.City, 1, maxName)
	wrong = appendWrong(wrong, "/region", &a.Region, 0, maxName)
	wrong = appendWrong(wrong, "/postal_code", &a.PostalCode, 0, 20)
	wrong = appendWrong(wrong, "/phone", &a.Phone, 0, maxPhone)
	a.Country = strings.ToUpper(a.Country)
	wrong = appendWrong(wrong, "/country", &a.Country, 2, 2)
	if wrong == nil && strings.Trim(a.Country, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
		wrong = append(wrong, errs.Field{Pointer: "/country", Code: "validation_failed", Detail: "two letters of ISO 3166-1 are expected"})
	}
	if wrong != nil {
		return errs.Validation(wrong...)
	}
	return nil
}

// appendWrong trims *s, and appends what is wrong with it: fewer than least or more than most characters, or
// characters that are no part of a line of text.
func appendWrong(wrong []errs.Field, pointer string, s *string, least, most int) []errs.Field {
	*s = strings.TrimSpace(*s)
	n := utf8.RuneCountInString(*s)
	var detail string
	switch {
	case !utf8.ValidString(*s) || strings.ContainsFunc(*s, unicode.IsControl):
		detail = "control characters are not allowed"
	case n < least:
		detail = "is missing or too short"
	case n > most:
		detail = "is too long"
	default:
		return wrong
	}
	return append(wrong, errs.Field{Pointer: pointer, Code: "validation_failed", Detail: detail})
}
