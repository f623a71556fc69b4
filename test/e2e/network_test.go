package e2e

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// gateway is the host as a guest of a user-mode network sees it.
const gateway = "10.0.2.2"

// TestNetwork: a guest has an address, a route, a resolver, and reaches a
// server, with the tools of its image or with none.
func TestNetwork(t *testing.T) {
	h := needWorld(t).home
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "hello %s", strings.TrimPrefix(r.URL.Path, "/"))
	}))
	t.Cleanup(server.Close)
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	url := "http://" + net.JoinHostPort(gateway, port)
	h.vm(t, "net", "busybox")
	for _, tt := range []struct{ what, script, want string }{
		{"interfaces", "ls /sys/class/net", "eth0\nlo"},
		{"loopback is up", "cat /sys/class/net/lo/carrier", "1"},
		{"server", "wget -q -O - " + url + "/guest", "hello guest"},
		{"resolver", "cat /etc/resolv.conf | head -n 1", "nameserver 10.0.2.3"},
		{"own name", "cat /etc/hosts", "127.0.0.1"},
		{"default route", "cat /proc/net/route", "eth0\t00000000\t0202000A"},
	} {
		t.Run(tt.what, func(t *testing.T) {
			if got := h.guest(t, "net", tt.script); !strings.Contains(got, tt.want) {
				t.Errorf("%s: got %q, want %q in it", tt.script, got, tt.want)
			}
		})
	}
	t.Run("without a tool in the image", func(t *testing.T) {
		if got := h.ok(t, "run", "--rm", "distroless", "--", "get", url+"/probe"); got != "hello probe" {
			t.Errorf("got %q", got)
		}
	})
}
