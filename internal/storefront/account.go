package storefront

import (
	"context"
	"net/http"
	"net/url"

	"github.com/go-chi/chi/v5"

	"shopd/internal/orders"
	"shopd/internal/platform/errs"
	"shopd/internal/platform/id"
	"shopd/internal/users"
)

const ordersPerPage = 10

type accountBody struct {
	Customer users.Customer
	Orders   []orders.Summary
	Next     string // address of older orders
}

func (s *Storefront) account(w http.ResponseWriter, r *http.Request) error {
	customer, err := s.Users.Customer(r.Context(), customerID(r))
	if err != nil {
		return err
	}
	list, next, err := s.Orders.CustomerOrders(r.Context(), string(customer.ID), r.Form.Get("after"), ordersPerPage)
	if err != nil {
		return err
	}
	body := accountBody{Customer: customer, Orders: list}
	if next != "" {
		body.Next = "/account?after=" + url.QueryEscape(next)
	}
	return s.show(w, r, http.StatusOK, "account", forOne, head{Title: "Your account"}, body)
}

func (s *Storefront) accountOrder(w http.ResponseWriter, r *http.Request) error {
	return s.showOrder(w, r, http.StatusOK, orders.ID(chi.URLParam(r, "id")), true, "")
}

// signBody is a form of somebody who is not signed in.
type signBody struct {
	Form *form
	Next string
	Sent bool // the form has done its work: say so instead of showing it
}

func (s *Storefront) loginForm(w http.ResponseWriter, r *http.Request) error {
	return s.showSign(w, r, http.StatusOK, "login", "Sign in", newForm(), nil)
}

func (s *Storefront) registerForm(w http.ResponseWriter, r *http.Request) error {
	return s.showSign(w, r, http.StatusOK, "register", "Create an account", newForm(), nil)
}

func (s *Storefront) resetForm(w http.ResponseWriter, r *http.Request) error {
	return s.showSign(w, r, http.StatusOK, "reset", "Forgotten password", newForm(), nil)
}

// showSign shows one of the forms around signing in; err is why it was refused, if it was.
func (s *Storefront) showSign(w http.ResponseWriter, r *http.Request, status int, name, title string, f *form, err error) error {
	if err != nil {
		f.Values["password"] = "" // so that a problem with it gets beside it; what was typed is never sent back
		switch errs.KindOf(err) {
		case errs.Unauthenticated, errs.Forbidden, errs.RateLimited:
			f.wrong("", errs.As(err).Detail)
		default:
			if !f.take(err, map[string]string{"password_too_short": "password", "password_compromised": "password", "token": ""}) {
				return err
			}
		}
		status = statusOf(err)
	}
	if !f.ok() {
		title = "Error: " + title
	}
	return s.show(w, r, status, name, forOne, head{Title: title}, signBody{Form: f, Next: localPath(r.Form.Get("next"))})
}

func (s *Storefront) login(w http.ResponseWriter, r *http.Request) error {
	f := readForm(r, "email")
	f.checkEmail()
	if r.PostForm.Get("password") == "" {
		f.wrong("password", "Enter your password.")
	}
	if !f.ok() {
		return s.showSign(w, r, http.StatusUnprocessableEntity, "login", "Sign in", f, nil)
	}
	tokens, _, err := s.Users.Login(r.Context(), f.Value("email"), r.PostForm.Get("password"))
	if err != nil {
		return s.showSign(w, r, 0, "login", "Sign in", f, err)
	}
	s.signIn(w, tokens)
	return redirect(w, r, localPath(r.PostForm.Get("next")))
}

func (s *Storefront) register(w http.ResponseWriter, r *http.Request) error {
	f := readForm(r, "email", "name")
	f.checkEmail()
	f.limit("name", 120)
	password := r.PostForm.Get("password")
	if password == "" {
		f.wrong("password", "Choose a password of at least 8 characters.")
	}
	if !f.ok() {
		return s.showSign(w, r, http.StatusUnprocessableEntity, "register", "Create an account", f, nil)
	}
	err := s.Users.Register(r.Context(), users.Registration{Email: f.Value("email"), Password: password, Name: f.Value("name")})
	if err != nil {
		return s.showSign(w, r, 0, "register", "Create an account", f, err)
	}
	return s.enter(w, r, f.Value("email"), password)
}

// enter signs a new customer in. Whoever registered with an address that has an account already, and does not know
// its password, gets to the sign-in page, which tells them no more than a wrong password does.
func (s *Storefront) enter(w http.ResponseWriter, r *http.Request, email, password string) error {
	next := localPath(r.PostForm.Get("next"))
	tokens, _, err := s.Users.Login(r.Context(), email, password)
	if errs.KindOf(err) == errs.Unauthenticated {
		return redirect(w, r, "/account/login?next="+url.QueryEscape(next))
	}
	if err != nil {
		return err
	}
	s.signIn(w, tokens)
	s.leaveNotice(w, "registered")
	return redirect(w, r, next)
}

// logout ends the session on the server, too; a browser that keeps the cookies is still signed out.
func (s *Storefront) logout(w http.ResponseWriter, r *http.Request) error {
	p, err := s.customer(w, r)
	if err != nil {
		return err
	}
	if p.SessionID != "" {
		if err := s.Users.Logout(r.Context(), p.SessionID); err != nil {
			return err
		}
	}
	s.signOut(w)
	s.forgetCart(w)
	s.setCookie(w, ordersCookie, "", 0) // whoever uses this browser next is somebody else
	s.leaveNotice(w, "signed-out")
	return redirect(w, r, "/account/login")
}

func (s *Storefront) requestReset(w http.ResponseWriter, r *http.Request) error {
	f := readForm(r, "email")
	f.checkEmail()
	if !f.ok() {
		return s.showSign(w, r, http.StatusUnprocessableEntity, "reset", "Forgotten password", f, nil)
	}
	if err := s.Users.RequestPasswordReset(r.Context(), f.Value("email")); err != nil {
		return s.showSign(w, r, 0, "reset", "Forgotten password", f, err)
	}
	s.leaveNotice(w, "reset-sent")
	return redirect(w, r, "/account/login")
}

// resetConfirmForm is the page behind the link in the mail.
func (s *Storefront) resetConfirmForm(w http.ResponseWriter, r *http.Request) error {
	f := newForm()
	f.Values["token"] = r.Form.Get("token")
	return s.showSign(w, r, http.StatusOK, "reset-confirm", "Choose a new password", f, nil)
}

func (s *Storefront) confirmReset(w http.ResponseWriter, r *http.Request) error {
	f := readForm(r, "token")
	password := r.PostForm.Get("password")
	if password == "" {
		f.wrong("password", "Choose a password of at least 8 characters.")
		return s.showSign(w, r, http.StatusUnprocessableEntity, "reset-confirm", "Choose a new password", f, nil)
	}
	if err := s.Users.ResetPassword(r.Context(), f.Value("token"), password); err != nil {
		return s.showSign(w, r, 0, "reset-confirm", "Choose a new password", f, err)
	}
	s.leaveNotice(w, "password-changed")
	return redirect(w, r, "/account/login")
}

// linkBody asks somebody who followed a link from a mail to press a button: programs that look into mails follow
// links, and do not press buttons.
type linkBody struct {
	Form                    *form
	Title, Text, Button, To string
}

// linkPage shows the page behind a mailed link, whose button uses the link up.
func (s *Storefront) linkPage(b linkBody) pageHandler {
	return func(w http.ResponseWriter, r *http.Request) error {
		b.Form = newForm()
		b.Form.Values["token"] = r.Form.Get("token")
		b.To = r.URL.Path
		return s.show(w, r, http.StatusOK, "link", forOne, head{Title: b.Title}, b)
	}
}

// useLink uses a mailed link up.
func (s *Storefront) useLink(b linkBody, notice string, use func(context.Context, string) error) pageHandler {
	return func(w http.ResponseWriter, r *http.Request) error {
		b.Form, b.To = readForm(r, "token"), r.URL.Path
		err := use(r.Context(), b.Form.Value("token"))
		if err == nil {
			s.leaveNotice(w, notice)
			return redirect(w, r, "/account/login")
		}
		if !b.Form.take(err, map[string]string{"token": ""}) {
			return err
		}
		return s.show(w, r, statusOf(err), "link", forOne, head{Title: "Error: " + b.Title}, b)
	}
}

var (
	verifyLink = linkBody{Title: "Confirm your address", Text: "So that we know that mails to you arrive.", Button: "Confirm"}
	emailLink  = linkBody{Title: "Change your address", Text: "From now on you sign in with the new e-mail address.", Button: "Use the new address"}
)

type addressBody struct {
	Addresses []users.Address
	Form      *form
	EditID    string // empty for a new address
	Rows      []countryRow
	Regions   []regionGroup
}

func fromAddressBook(a users.Address) orders.Address {
	p := a.PostalAddress
	return orders.Address{Name: p.Name, Line1: p.Line1, Line2: p.Line2, City: p.City, Region: p.Region, PostalCode: p.PostalCode, Country: p.Country, Phone: p.Phone}
}

func toAddressBook(a orders.Address) users.PostalAddress {
	return users.PostalAddress{Name: a.Name, Line1: a.Line1, Line2: a.Line2, City: a.City, Region: a.Region, PostalCode: a.PostalCode, Country: a.Country, Phone: a.Phone}
}

// customerID is the id of the customer that signedIn let in.
func customerID(r *http.Request) users.CustomerID {
	return users.CustomerID(customerFrom(r).CustomerID())
}

func (s *Storefront) addresses(w http.ResponseWriter, r *http.Request) error {
	f := newForm()
	f.Values["country"] = s.Country
	return s.showAddresses(w, r, http.StatusOK, f, "")
}

func (s *Storefront) showAddresses(w http.ResponseWriter, r *http.Request, status int, f *form, editID string) error {
	list, err := s.Users.Addresses(r.Context(), customerID(r))
	if err != nil {
		return err
	}
	body := addressBody{Addresses: list, Form: f, EditID: editID, Rows: countryRows, Regions: regionGroups}
	return s.show(w, r, status, "addresses", forOne, head{Title: "Your addresses"}, body)
}

func (s *Storefront) editAddress(w http.ResponseWriter, r *http.Request) error {
	list, err := s.Users.Addresses(r.Context(), customerID(r))
	if err != nil {
		return err
	}
	for _, a := range list {
		if string(a.ID) == chi.URLParam(r, "address") {
			f := newForm()
			f.fill(fromAddressBook(a))
			return s.showAddresses(w, r, http.StatusOK, f, string(a.ID))
		}
	}
	return errs.ErrNotFound
}

// saveAddress adds an address, or changes the one that the path names.
func (s *Storefront) saveAddress(w http.ResponseWriter, r *http.Request) error {
	addressID := chi.URLParam(r, "address")
	if addressID != "" && !id.Valid("addr", addressID) {
		return errs.ErrNotFound
	}
	f, a := readAddress(r)
	if !f.ok() {
		return s.showAddresses(w, r, http.StatusUnprocessableEntity, f, addressID)
	}
	if err := s.storeAddress(r, users.AddressID(addressID), toAddressBook(a)); err != nil {
		if f.take(err, nil) {
			return s.showAddresses(w, r, statusOf(err), f, addressID)
		}
		return err
	}
	s.leaveNotice(w, "address-saved")
	return redirect(w, r, "/account/addresses")
}

func (s *Storefront) storeAddress(r *http.Request, addressID users.AddressID, a users.PostalAddress) (err error) {
	makeDefault := r.PostForm.Get("default") != ""
	if addressID == "" {
		_, err = s.Users.AddAddress(r.Context(), customerID(r), a, makeDefault)
	} else {
		_, err = s.Users.UpdateAddress(r.Context(), customerID(r), addressID, a, makeDefault)
	}
	return err
}

func (s *Storefront) deleteAddress(w http.ResponseWriter, r *http.Request) error {
	if err := s.Users.DeleteAddress(r.Context(), customerID(r), users.AddressID(chi.URLParam(r, "address"))); err != nil {
		return err
	}
	s.leaveNotice(w, "address-deleted")
	return redirect(w, r, "/account/addresses")
}
