package storefront_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"

	"shopd/internal/platform/httpx"
	"shopd/internal/platform/imaging"
	"shopd/internal/sample"
	"shopd/internal/storefront"
	"shopd/internal/storefront/storefronttest"
)

// serve makes the test binary a shop to look at while working on its pages:
//
//	go test ./internal/storefront -storefront.serve 127.0.0.1:16100
var serve = flag.String("storefront.serve", "", "serve the sample shop from memory on this address instead of running tests")

func TestMain(m *testing.M) {
	flag.Parse()
	if *serve == "" {
		os.Exit(m.Run())
	}
	if err := serveSample(*serve); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func serveSample(addr string) error {
	shop, err := storefronttest.New(time.Now)
	if err != nil {
		return err
	}
	deps := sampleDeps(shop)
	deps.BaseURL, deps.Log = "http://"+addr, slog.New(slog.NewTextHandler(os.Stderr, nil))
	front, err := storefront.New(deps)
	if err != nil {
		return err
	}
	cache, err := os.MkdirTemp("", "storefront-media")
	if err != nil {
		return err
	}
	defer os.RemoveAll(cache)
	renderer, err := imaging.New(imaging.Config{Source: samplePicture, CacheDir: cache})
	if err != nil {
		return err
	}
	router := chi.NewRouter()
	router.Handle("/media/{name}", renderer.Handler(httpx.WriteError))
	front.Routes(router)
	server := &http.Server{Addr: addr, Handler: router, ReadHeaderTimeout: time.Second}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	go func() {
		<-ctx.Done()
		_ = server.Close() // Close fails on a listener that is closed already, which is what is wanted
	}()
	fmt.Fprintln(os.Stderr, "http://"+addr)
	if err := server.ListenAndServe(); err != http.ErrServerClosed {
		return err
	}
	return nil
}

func samplePicture(_ context.Context, name string) (io.ReadCloser, error) {
	data, err := sample.Image(name)
	if err != nil {
		return nil, err
	}
	return io.NopCloser(bytes.NewReader(data)), nil
}

func sampleDeps(shop *storefronttest.Shop) storefront.Deps {
	return storefront.Deps{
		Catalog: shop.Catalog, Recs: shop.Recs, Orders: shop.Orders, Users: shop.Users, Log: slog.New(slog.DiscardHandler), Now: time.Now,
		BaseURL: "https://shop.example", ShopName: "Luma & Co.", Currency: "USD", Country: "US", Demo: true,
		Credits: []storefront.Credit{{Title: "Photographs", Author: "Annie Spratt and others", License: "Unsplash License", URL: "https://unsplash.com/license", Works: []string{"Assorted succulents, Annie Spratt"}}},
	}
}
