package migrations

import (
	_ "shopd/internal/money"
)
