// Command gen makes the files of package sample from the folders of the two catalogues they come from:
//
//	go run ./internal/sample/gen -luma DIR -unsplash DIR -out internal/sample
//
// Each folder holds products.jsonl.gz and images.zip; that of luma also holds reviews.jsonl.gz. The output depends on
// nothing but the input, so running it again changes nothing.
package main

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"

	"shopd/internal/platform/imaging"
	"shopd/internal/sample"
)

func main() {
	log.SetFlags(0)
	luma := flag.String("luma", "", "folder of the luma catalogue")
	unsplash := flag.String("unsplash", "", "folder of the unsplash-shop catalogue")
	out := flag.String("out", ".", "folder to write to")
	flag.Parse()
	if *luma == "" || *unsplash == "" {
		flag.Usage()
		os.Exit(2)
	}
	if err := run(*luma, *unsplash, *out); err != nil {
		log.Fatal("gen: ", err)
	}
}

func run(luma, unsplash, out string) error {
	pictures := map[string]sample.ProductImage{}
	var credits []sample.Picture
	for _, dir := range []string{luma, unsplash} {
		files, err := unpack(filepath.Join(dir, "images.zip"), filepath.Join(out, "images"), pictures)
		if err != nil {
			return err
		}
		if dir == unsplash {
			for _, f := range files {
				credits = append(credits, credit(f))
			}
		}
	}
	lumaIn, err := read[lumaProduct](filepath.Join(luma, "products.jsonl.gz"))
	if err != nil {
		return err
	}
	unsplashIn, err := read[unsplashProduct](filepath.Join(unsplash, "products.jsonl.gz"))
	if err != nil {
		return err
	}
	reviewsIn, err := read[lumaReview](filepath.Join(luma, "reviews.jsonl.gz"))
	if err != nil {
		return err
	}
	products := append(convertLuma(lumaIn), convertUnsplash(unsplashIn)...)
	if err := finish(products, pictures); err != nil {
		return err
	}
	return errors.Join(
		writeLines(filepath.Join(out, "products.jsonl"), products),
		writeLines(filepath.Join(out, "reviews.jsonl"), convertReviews(reviewsIn, products)),
		writeCredits(out, credits),
	)
}

// read returns the values of a gzipped JSON Lines file.
func read[T any](path string) ([]T, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	z, err := gzip.NewReader(bytes.NewReader(raw))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	var all []T
	for d := json.NewDecoder(z); ; {
		var v T
		switch err := d.Decode(&v); {
		case errors.Is(err, io.EOF):
			return all, nil
		case err != nil:
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		all = append(all, v)
	}
}

// unpack writes the pictures of a zip file to dir, adds what is to be known of each to pictures, and returns their
// names. The files are kept as they are: they are progressive JPEGs of at most 800 pixels already.
func unpack(zipFile, dir string, pictures map[string]sample.ProductImage) ([]string, error) {
	packed, err := os.ReadFile(zipFile)
	if err != nil {
		return nil, err
	}
	z, err := zip.NewReader(bytes.NewReader(packed), int64(len(packed)))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", zipFile, err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	var names []string
	for _, f := range z.File {
		name := filepath.Base(f.Name)
		if _, ok := pictures[name]; ok {
			return nil, fmt.Errorf("two pictures are called %s", name)
		}
		raw, err := contents(f)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		w, h, errSize := imaging.Dimensions(raw)
		colour, errColour := imaging.DominantColour(raw)
		if err := errors.Join(errSize, errColour, os.WriteFile(filepath.Join(dir, name), raw, 0o644)); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		pictures[name] = sample.ProductImage{File: name, Width: w, Height: h, Colour: colour}
		names = append(names, name)
	}
	return names, nil
}

func contents(f *zip.File) ([]byte, error) {
	r, err := f.Open()
	if err != nil {
		return nil, err
	}
	raw, err := io.ReadAll(r)
	return raw, errors.Join(err, r.Close())
}

func writeLines[T any](path string, all []T) error {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	for _, v := range all {
		if err := enc.Encode(v); err != nil {
			return err
		}
	}
	return os.WriteFile(path, out.Bytes(), 0o644)
}
