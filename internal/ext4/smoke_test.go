package ext4_test

import ("testing";"banger/internal/ext4";"fmt";"os/exec")

func TestSmoke(t *testing.T) {
	m := newImage(t)
	big := map[string]*ext4.Node{}
	for i := range 120000 { big[name(i)] = m.reg("x") }
	root := dir(map[string]*ext4.Node{"a": m.reg("hello"), "etc": dir(map[string]*ext4.Node{"l": symlink("../a")}), "big": dir(big), "f": {Mode: sIFREG|0644, MTime: epoch, Body: m.body(pattern(1, 5*mib)), Xattrs: map[string][]byte{"user.x": []byte("yy"), "user.big": pattern(2, 3900)}}})
	st := m.finish(root, 1*gib)
	fmt.Printf("%+v\n", st)
	out, _ := exec.Command("dumpe2fs", m.path).CombinedOutput(); fmt.Println(string(out))
	fsck(t, m.path)
}
