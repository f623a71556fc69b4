package config

import (
	"encoding"
	"fmt"
	"reflect"
	"strings"
	"time"

	"banger/internal/model"
)

// setting is one leaf of a Config.
type setting struct {
	key, doc, max string
	value         value
	kind          reflect.Type
}

// value is what all types of settings can do.
type value interface {
	encoding.TextUnmarshaler
	fmt.Stringer
}

// settingsOf returns the settings of cfg, in the order of the structs.
func settingsOf(cfg *Config) []setting {
	var list []setting
	sections := reflect.ValueOf(cfg).Elem()
	for i := range sections.NumField() {
		section, name := sections.Field(i), sections.Type().Field(i).Tag.Get("toml")
		for j := range section.NumField() {
			field := section.Type().Field(j)
			v, ok := section.Field(j).Addr().Interface().(value)
			if !ok {
				panic("config: " + field.Name + " has a type that is no setting's") // a fault of this package
			}
			list = append(list, setting{
				key: name + "." + field.Tag.Get("toml"), doc: field.Tag.Get("doc"), max: field.Tag.Get("max"),
				value: v, kind: field.Type,
			})
		}
	}
	return list
}

// env is the variable that is over the file.
func (s *setting) env() string {
	return "BANGER_" + strings.ToUpper(strings.ReplaceAll(s.key, ".", "_"))
}

// check holds a value to its bound.
func (s *setting) check() error {
	if hosts, ok := s.value.(*Hosts); ok {
		if err := hosts.check(); err != nil {
			return fmt.Errorf("%s: %w", s.key, err)
		}
		return nil
	}
	most := reflect.New(s.kind)
	if bound, ok := most.Interface().(value); !ok || bound.UnmarshalText([]byte(s.max)) != nil {
		panic("config: the bound of " + s.key + " is none") // a fault of this package
	}
	number := reflect.ValueOf(s.value).Elem().Int()
	if _, ok := s.value.(*Duration); ok && number < int64(time.Millisecond) {
		return fmt.Errorf("%s is no time: say 90s or 1m30s", s.key) // a bare number
	}
	if number <= 0 {
		return fmt.Errorf("%s is %s: a number above 0 is needed", s.key, s.value)
	}
	if number > most.Elem().Int() {
		return fmt.Errorf("%s is %s: at most %s is possible", s.key, s.value, s.max)
	}
	return nil
}

// origins says of each setting what it is, what it would be, and who says so.
func origins(cfg, fromFile *Config, getenv func(string) string) []model.Setting {
	byDefault := Default()
	defaults, filed := settingsOf(&byDefault), settingsOf(fromFile)
	var list []model.Setting
	for i, s := range settingsOf(cfg) {
		told := model.Setting{
			Key: s.key, Value: s.value.String(), Default: defaults[i].value.String(),
			Origin: model.OriginDefault, Env: s.env(), Doc: s.doc,
		}
		if filed[i].value.String() != told.Default {
			told.Origin = model.OriginFile
		}
		if getenv(s.env()) != "" {
			told.Origin = model.OriginEnv
		}
		list = append(list, told)
	}
	return list
}
