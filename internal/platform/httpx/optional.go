package httpx

import (
	"reflect"

	"github.com/danielgtaylor/huma/v2"
)

// Optional is a parameter that tells "not sent" from its zero value.
type Optional[T any] struct {
	Value T
	IsSet bool
}

// Schema describes the value.
func (o Optional[T]) Schema(r huma.Registry) *huma.Schema {
	return huma.SchemaFromType(r, reflect.TypeOf(o.Value))
}

// Receiver is where huma puts the value.
func (o *Optional[T]) Receiver() reflect.Value { return reflect.ValueOf(o).Elem().Field(0) }

// OnParamSet hears whether the parameter was sent.
func (o *Optional[T]) OnParamSet(isSet bool, _ any) { o.IsSet = isSet }

// Pointer is the value, nil when it was not sent.
func (o Optional[T]) Pointer() *T {
	if !o.IsSet {
		return nil
	}
	return &o.Value
}
