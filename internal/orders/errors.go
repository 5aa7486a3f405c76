package orders

import (
	"time"

	"shopd/internal/platform/errs"
)

// What callers decide by.
var (
	ErrOutOfStock         = errs.New(errs.Conflict, "out_of_stock", "Not enough of it is left.")
	ErrPriceChanged       = errs.New(errs.Conflict, "price_changed", "A price has changed since you put the article into the cart. Look at the cart again.")
	ErrCartChanged        = errs.New(errs.Conflict, "cart_changed", "The cart changed while it was being ordered. Look at it again.")
	ErrPaymentDeclined    = errs.New(errs.PaymentRequired, "payment_declined", "The payment was declined. Try another way to pay.")
	ErrPaymentUnavailable = errs.New(errs.Unavailable, "payment_unavailable", "Payments cannot be taken right now. Nothing was charged; try again in a moment.").WithRetryAfter(10 * time.Second)
	ErrPaymentInProgress  = errs.New(errs.Conflict, "payment_in_progress", "A payment for this order is on its way.").WithRetryAfter(2 * time.Second)
	ErrAlreadyPaid        = errs.New(errs.Conflict, "already_paid", "This cart has been ordered and paid.")
	ErrInvalidState       = errs.New(errs.Conflict, "invalid_state", "The order is not in a state that allows this.")
	ErrNotPurchasable     = errs.New(errs.Invalid, "not_purchasable", "This article cannot be bought.")
	ErrCurrency           = errs.New(errs.Invalid, "currency_mismatch", "There is no price in this currency.")
	ErrCartLimit          = errs.New(errs.Invalid, "cart_limit", "The cart cannot hold more.")
	ErrQuantity           = errs.New(errs.Invalid, "invalid_quantity", "The quantity must be a whole number from 1 to 9999.")
	ErrCountry            = errs.New(errs.Invalid, "invalid_country", "The country must be an ISO 3166 code of two letters.")
	ErrCartClosed         = errs.New(errs.Conflict, "cart_completed", "This cart has been ordered. Begin a new one.")
	ErrEmail              = errs.New(errs.Invalid, "invalid_email", "That is not an e-mail address.")
	ErrCardData           = errs.New(errs.Invalid, "card_data_not_accepted", "Never send card numbers here. They belong into the payment form only.")
	ErrReturnURL          = errs.New(errs.Invalid, "url_not_allowed", "return_url must be a web address.")
	ErrCouponInvalid      = errs.New(errs.Invalid, "coupon_invalid", "This coupon is not valid.")
	ErrCouponExhausted    = errs.New(errs.Conflict, "coupon_exhausted", "This coupon has been used as often as it may be.")
	ErrRefundTooLarge     = errs.New(errs.Invalid, "refund_exceeds_capture", "More cannot go back than was taken.")
	ErrRefundFailed       = errs.New(errs.Conflict, "refund_failed", "The gateway would not give the money back.")
	ErrReturnWindow       = errs.New(errs.Conflict, "return_window_over", "The time to give goods of this order back is over.")
	ErrAddressTotal       = errs.New(errs.Conflict, "address_changes_total", "Sent there, the order would cost another sum. Cancel it and order again.")
	ErrTrackingURL        = errs.New(errs.Invalid, "url_not_allowed", "tracking_url must be a web address.")
	ErrShippingMethod     = errs.New(errs.Invalid, "unknown_shipping_method", "This shipping method is not offered for the cart.")
)

var errStaleCart = errs.New(errs.Conflict, "cart_changed", "The cart was changed by somebody else at the same moment. Try again.").WithRetryAfter(time.Second)
