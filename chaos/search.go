package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"shopd/internal/rig"
)

const searchPatience = time.Minute

// shown is an article as a list or a page shows it.
type shown struct {
	SKU     string `json:"sku"`
	InStock bool   `json:"in_stock"`
	Price   struct{ Amount int64 }
}

// checkSearch holds what the search shows against what is in stock, for every article.
func (s *stand) checkSearch(ctx context.Context, b *book, c *caller) error {
	rows, err := s.db.Query(ctx, `select sku, available > 0 from public_views.v_stock`)
	if err != nil {
		return fmt.Errorf("read the stock: %w", err)
	}
	inStock := map[string]bool{}
	for rows.Next() {
		var sku string
		var there bool
		if err := rows.Scan(&sku, &there); err != nil {
			return err
		}
		inStock[sku] = there
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("read the stock: %w", err)
	}
	var wrong []string
	end := time.Now().Add(searchPatience)
	for _, a := range s.goods {
		difference := s.searchDiffers(ctx, c, a, inStock[a.sku])
		for difference != "" && time.Now().Before(end) && rig.Pause(ctx, 500*time.Millisecond) == nil {
			difference = s.searchDiffers(ctx, c, a, inStock[a.sku])
		}
		if difference != "" {
			wrong = append(wrong, difference)
		}
	}
	b.say("I24", fmt.Sprintf("%d articles found as they are", len(s.goods)-len(wrong)), wrong...)
	return nil
}

func (s *stand) searchDiffers(ctx context.Context, c *caller, want article, inStock bool) string {
	a := c.do(ctx, searching, answerPatience, http.MethodGet, storeAPI+"/search?q="+want.sku, nil)
	var found struct{ Items []shown }
	if !a.ok() || json.Unmarshal(a.body, &found) != nil {
		return fmt.Sprintf("searching for %s answers %s", want.sku, a)
	}
	for _, item := range found.Items {
		if item.SKU != want.sku {
			continue
		}
		if item.InStock != inStock || item.Price.Amount != want.price {
			return fmt.Sprintf("%s is found at %d, in stock: %t; it costs %d, in stock: %t", want.sku, item.Price.Amount, item.InStock, want.price, inStock)
		}
		return ""
	}
	return want.sku + " is not found"
}

// awaitOpen waits until the shop shows all it has: the index is filled, the caches are warm, nothing waits.
func (s *stand) awaitOpen(ctx context.Context, c *caller) error {
	left, _, err := s.awaitQuiet(ctx)
	if err != nil {
		return err
	}
	if len(left) > 0 {
		return fmt.Errorf("the shop does not open: %v", left)
	}
	end := time.Now().Add(searchPatience)
	for _, a := range s.goods {
		for difference := s.searchDiffers(ctx, c, a, a.stock > 0); difference != ""; difference = s.searchDiffers(ctx, c, a, a.stock > 0) {
			if time.Now().After(end) {
				return fmt.Errorf("the search does not open: %s", difference)
			}
			if err := rig.Pause(ctx, 200*time.Millisecond); err != nil {
				return err
			}
		}
	}
	return nil
}
