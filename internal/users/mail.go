package users

import (
	"context"
	"embed"
	"fmt"
	html "html/template"
	"strings"
	text "text/template"
	"unicode"

	"github.com/jackc/pgx/v5"

	"shopd/internal/platform/id"
)

// Pages of the storefront that mailed links lead to. They take the token from the query.
const (
	pathForgot       = "/account/reset"
	pathReset        = "/account/reset/confirm"
	pathVerify       = "/account/verify"
	pathConfirmEmail = "/account/email/confirm"
)

var pathOf = map[purpose]string{verifyEmail: pathVerify, changeEmail: pathConfirmEmail, resetPassword: pathReset}

// letter is a mail in words; its text and HTML forms come from one layout each. "{shop}" is the shop's name.
type letter struct {
	name       string
	subject    string
	paragraphs []string
	button     string // label of the link; without one the letter has no link
	after      []string
}

var (
	letterWelcome = letter{
		name: "welcome", subject: "Welcome to {shop}",
		paragraphs: []string{"your account is ready: you can sign in and order right away.", "Please confirm that this is your address, so that you can get back in if you ever lose your password."},
		button:     "Confirm my address", after: []string{"The link works for seven days."},
	}
	letterAlreadyRegistered = letter{
		name: "already_registered", subject: "You already have an account with {shop}",
		paragraphs: []string{"somebody, perhaps you, tried to open an account with this address. You have one already, and nothing was changed.", "If you have lost your password, you can choose a new one."},
		button:     "Choose a new password", after: []string{"If that was not you, there is nothing to do."},
	}
	letterReset = letter{
		name: "password_reset", subject: "Choose a new password for {shop}",
		paragraphs: []string{"somebody, hopefully you, asked for a new password for the account with this address."},
		button:     "Choose a new password", after: []string{"The link works once, within the next hour. If you did not ask for it, there is nothing to do: your password stays as it is."},
	}
	letterPasswordChanged = letter{
		name: "password_changed", subject: "Your password for {shop} was changed",
		paragraphs: []string{"the password of your account was changed just now, and everybody who was signed in has been signed out.", "If that was not you, choose a new password at once."},
		button:     "Choose a new password",
	}
	letterChangeEmail = letter{
		name: "change_email", subject: "Confirm your new address for {shop}",
		paragraphs: []string{"somebody, hopefully you, wants to use this address for an account with us."},
		button:     "Use this address", after: []string{"The link works once, within a day. If that was not you, there is nothing to do."},
	}
	letterEmailChanged = letter{
		name: "email_changed", subject: "Your account with {shop} has a new address",
		paragraphs: []string{"your account now uses another e-mail address. From now on we write to that one.", "If that was not you, please contact us at once."},
	}
	letterErased = letter{
		name: "erased", subject: "Your account with {shop} is gone",
		paragraphs: []string{"your account and your personal data have been erased, as you asked. Orders are kept without your name, as the law on bookkeeping demands.", "This is the last mail about it. Thank you for having been with us."},
	}
)

//go:embed mails/layout.txt mails/layout.html
var layouts embed.FS

// letters renders letters.
type letters struct {
	shop    string
	baseURL string
	text    *text.Template
	html    *html.Template
}

// letterData is what differs from one letter to the next.
type letterData struct {
	Name string // of the person, may be empty
	Link string // where the button leads
}

// page is what a layout sees.
type page struct {
	letterData
	Shop, BaseURL, Subject, Button string
	Paragraphs, After              []string
}

func newLetters(c Config) (*letters, error) {
	if strings.ContainsFunc(c.ShopName, unicode.IsControl) {
		return nil, fmt.Errorf("users: the shop's name %q has control characters", c.ShopName)
	}
	t, err := text.ParseFS(layouts, "mails/layout.txt")
	if err != nil {
		return nil, err
	}
	h, err := html.ParseFS(layouts, "mails/layout.html")
	if err != nil {
		return nil, err
	}
	return &letters{shop: c.ShopName, baseURL: c.BaseURL, text: t, html: h}, nil
}

func (l *letters) render(to Email, kind letter, data letterData) (Mail, error) {
	named := func(texts ...string) []string {
		out := make([]string, len(texts))
		for i, t := range texts {
			out[i] = strings.ReplaceAll(t, "{shop}", l.shop)
		}
		return out
	}
	p := page{
		letterData: data, Shop: l.shop, BaseURL: l.baseURL, Subject: named(kind.subject)[0], Button: kind.button,
		Paragraphs: named(kind.paragraphs...), After: named(kind.after...),
	}
	var plain, rich strings.Builder
	if err := l.text.Execute(&plain, p); err != nil {
		return Mail{}, fmt.Errorf("render mail %s: %w", kind.name, err)
	}
	if err := l.html.Execute(&rich, p); err != nil {
		return Mail{}, fmt.Errorf("render mail %s: %w", kind.name, err)
	}
	return Mail{Key: id.New("mail"), To: string(to), Template: kind.name, Subject: p.Subject, Text: plain.String(), HTML: rich.String()}, nil
}

// send puts a letter into the outgoing mails, as part of tx.
func (s *Service) send(ctx context.Context, tx pgx.Tx, to Email, kind letter, data letterData) error {
	mail, err := s.letters.render(to, kind, data)
	if err != nil {
		return err
	}
	if err := s.mailer.Send(ctx, tx, mail); err != nil {
		return fmt.Errorf("send mail %s: %w", kind.name, err)
	}
	return nil
}
