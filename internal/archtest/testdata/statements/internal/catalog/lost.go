// Package catalog has SQL that nothing sends.
package catalog
