#!/bin/busybox sh
# SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
# First process of the machine that tests/kernels/run boots: loads weft, connects through it, and says how it went.
busybox=/bin/busybox
$busybox --install -s /bin
mkdir -p /proc /sys /dev /run /tmp
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mount -t cgroup2 cgroup /sys/fs/cgroup
mount -t bpf bpf /sys/fs/bpf
ip link set lo up
for module in sch_ingress cls_bpf; do
	for file in /modules/$module.ko*; do
		case $file in *.xz) unxz "$file" && file=${file%.xz} ;; esac
		[ ! -e "$file" ] || insmod "$file"
	done
done
echo "KERNEL $(uname -r)"

fail() {
	echo "FAIL $*"
	poweroff -f
}

cat > /tmp/weft.yaml <<'Y'
services:
  - name: web
    address: 10.99.0.1:80
    balance: round-robin
    endpoints: [127.0.77.1:8080, 127.0.77.2:8080]
  - name: half
    address: 10.99.0.2:80
    endpoints: ["127.0.77.1:8081", "127.0.77.2:8080"]
    ejection: off
    balance: round-robin
  - name: dns
    address: 10.99.0.1:53
    protocol: udp
    endpoints: [127.0.77.1:8080]
Y
echo 1 > /proc/sys/net/ipv4/tcp_syncookies
mkdir -p /sys/fs/cgroup/app
sed -i '1i cgroup: /sys/fs/cgroup/app' /tmp/weft.yaml
/bin/weft doctor || true
/bin/weft load -c /tmp/weft.yaml || fail "weft load"
/bin/echo_server 127.0.77.1:8080 127.0.77.2:8080 > /tmp/echo.log 2>&1 &
for i in 1 2 3 4 5 6 7 8 9 10; do
	grep -q ready /tmp/echo.log && break
	usleep 200000
done
(
	echo 0 > /sys/fs/cgroup/app/cgroup.procs
	/bin/connector --to 10.99.0.1:80 --count 200 --threads 2 --json > /tmp/tcp.json && /bin/connector --to 10.99.0.1:53 --count 50 --udp --threads 1 --json > /tmp/udp.json
) || fail "connector: $(cat /tmp/*.json)"
# One of two endpoints refuses: connect() goes on to the other one.
(
	echo 0 > /sys/fs/cgroup/app/cgroup.procs
	/bin/connector --to 10.99.0.2:80 --count 100 --json > /tmp/half.json
) || fail "failover: $(cat /tmp/half.json)"
cat /tmp/half.json
cat /tmp/tcp.json /tmp/udp.json
/bin/weft service list
/bin/weft check || fail "weft check"
/bin/weft service list -o json > /tmp/services.json
grep -q '"opened":200' /tmp/services.json || fail "200 connects were not counted: $(cat /tmp/services.json)"
/bin/weft unload || fail "weft unload"
[ -e /sys/fs/bpf/weft ] && fail "pins are left after unload"
echo "PASS"
poweroff -f
