package payments

import (
	"errors"
	"io"
	"net/http"

	"github.com/go-chi/chi/v5"

	"shopd/internal/platform/errs"
	"shopd/internal/platform/httpx"
)

// maxWebhook is longer than any event of a gateway.
const maxWebhook = 512 << 10

// WebhookHandler takes the webhooks of the gateway named in the path parameter "provider". Their signature is over the
// body as it came, so nothing may read it before.
func WebhookHandler(s *Service) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxWebhook))
		if err == nil {
			err = s.ReceiveWebhook(r.Context(), chi.URLParam(r, "provider"), r.Header, body)
		}
		var tooLarge *http.MaxBytesError
		switch {
		case errors.As(err, &tooLarge):
			err = errWebhookTooLarge
		case err == nil:
			w.WriteHeader(http.StatusNoContent)
			return
		}
		if errs.KindOf(err) == errs.Internal || errs.KindOf(err) == errs.Unavailable {
			httpx.LoggerFrom(r.Context()).WarnContext(r.Context(), "webhook not taken", "error", err)
		}
		httpx.WriteError(w, r, err)
	})
}

var errWebhookTooLarge = errs.New(errs.TooLarge, "body_too_large", "No webhook is that long.")
