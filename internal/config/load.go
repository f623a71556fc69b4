package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"banger/internal/model"
)

// maxFile bounds config.toml in bytes.
const maxFile = 1 << 20

// Load reads the file, when there is one, and what getenv has over it:
// BANGER_IMAGE_LAYERS is image.layers. It returns the settings and where each
// came from.
func Load(file string, getenv func(string) string) (Config, model.Settings, error) {
	cfg, told := Default(), model.Settings{File: file}
	text, err := readFile(file)
	if err == nil {
		err = decode(text, &cfg)
	}
	if err != nil {
		return cfg, told, fileError(file, err)
	}
	fromFile := cfg
	for _, s := range settingsOf(&cfg) {
		value := getenv(s.env())
		if value == "" {
			continue
		}
		if err := s.value.UnmarshalText([]byte(value)); err != nil {
			return cfg, told, model.Errorf(model.CodeInvalid, "%s: %w", s.env(), err)
		}
	}
	for _, s := range settingsOf(&cfg) {
		if err := s.check(); err != nil {
			return cfg, told, fileError(file, err)
		}
	}
	told.Settings = origins(&cfg, &fromFile, getenv)
	return cfg, told, nil
}

// readFile returns nothing when there is no file.
func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(text) > maxFile {
		err = fmt.Errorf("it has more than %d bytes", maxFile)
	}
	return text, err
}

func decode(text []byte, cfg *Config) error {
	return toml.NewDecoder(bytes.NewReader(text)).DisallowUnknownFields().Decode(cfg)
}

// fileError says where in the file what is wrong.
func fileError(file string, err error) error {
	var unknown *toml.StrictMissingError
	var malformed *toml.DecodeError
	switch {
	case errors.As(err, &unknown) && len(unknown.Errors) > 0:
		first := unknown.Errors[0]
		line, _ := first.Position()
		return unknownKey(file, line, strings.Join(first.Key(), "."))
	case errors.As(err, &malformed):
		line, column := malformed.Position()
		text := strings.TrimPrefix(malformed.Error(), "toml: ")
		if key := strings.Join(malformed.Key(), "."); key != "" {
			text = key + ": " + text
		}
		return model.Errorf(model.CodeInvalid, "%s, line %d, column %d: %s", file, line, column, text)
	}
	return model.Errorf(model.CodeInvalid, "reading %s: %w", file, err)
}

func unknownKey(file string, line int, key string) error {
	e := model.Errorf(model.CodeInvalid, "%s, line %d: there is no setting %.100q", file, line, key)
	cfg := Default()
	var keys []string
	for _, s := range settingsOf(&cfg) {
		keys = append(keys, s.key)
	}
	if near := model.Nearest(key, keys); len(near) > 0 {
		return e.WithHint("did you mean %s?", strings.Join(near, " or "))
	}
	return e.WithHint("there are: %s", strings.Join(keys, ", "))
}
