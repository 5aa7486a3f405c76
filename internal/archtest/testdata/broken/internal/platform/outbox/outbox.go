package outbox

import (
	_ "shopd/internal/events"
)
