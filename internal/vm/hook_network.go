package vm

import (
	"context"

	"banger/internal/model"
	"banger/internal/rpc"
	"banger/internal/wire"
)

// networkHook is a guest's one network card: none, or the driver's user-mode
// network.
func networkHook() Hook {
	return Hook{
		Name: "network",
		Plan: func(_ context.Context, p rpc.VMCreateParams, _ model.Image, spec *model.VMSpec) error {
			spec.Network = p.Network
			if spec.Network == "" {
				spec.Network = model.NetUser
			}
			return nil
		},
		Configure: func(vm model.VM, plan *Plan) error {
			plan.Machine.Network = vm.Spec.Network
			plan.Machine.MAC = macOf(vm.ID)
			if vm.Spec.Network == model.NetUser {
				plan.Guest.Network = userNet(plan.Machine.MAC)
			}
			return nil
		},
	}
}

// macOf derives a VM's MAC address from its id: locally administered, unicast
// (IEEE 802, first octet 0x02), and the same at every start.
func macOf(id string) string {
	hex := (id + "0000000000")[:10]
	return "02:" + hex[0:2] + ":" + hex[2:4] + ":" + hex[4:6] + ":" + hex[6:8] + ":" + hex[8:10]
}

// userNet is the guest's side of QEMU's user-mode network: 10.0.2.0/24, the
// gateway .2, the name server .3 (QEMU manual, "Network emulation").
func userNet(mac string) *wire.Network {
	return &wire.Network{MAC: mac, Address: "10.0.2.15/24", Gateway: "10.0.2.2", DNS: []string{"10.0.2.3"}}
}
