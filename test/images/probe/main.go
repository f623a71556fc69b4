// Command probe is the one program of the distroless test image.
//
//	probe            prints what it finds itself in, as JSON
//	probe exit N     exits with N
//	probe get URL    prints what URL answers
package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"strconv"
	"time"
)

func main() {
	code, err := run(os.Args[1:])
	if err != nil {
		_, _ = io.WriteString(os.Stderr, "probe: "+err.Error()+"\n")
		code = 1
	}
	os.Exit(code)
}

func run(args []string) (int, error) {
	switch {
	case len(args) == 2 && args[0] == "exit":
		return strconv.Atoi(args[1])
	case len(args) == 2 && args[0] == "get":
		return 0, get(args[1])
	case len(args) != 0:
		return 0, errors.New("usage: probe [exit N | get URL]")
	}
	cwd, err := os.Getwd()
	if err != nil {
		return 0, err
	}
	return 0, json.NewEncoder(os.Stdout).Encode(map[string]any{
		"uid": os.Getuid(), "euid": os.Geteuid(), "gid": os.Getgid(), "cwd": cwd, "env": os.Environ(),
	})
}

func get(url string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, err = io.Copy(os.Stdout, io.LimitReader(resp.Body, 1<<20))
	return err
}
