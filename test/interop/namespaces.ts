/**
 * A public network and homes behind NAT routers, made of Linux network namespaces:
 *
 *     device 10.1.0.2 - router 198.51.100.11 -+- public 198.51.100.1, .2 -+- router 198.51.100.12 - controller 10.2.0.2
 *                       router 198.51.100.13 -+  (another home for the device to move to)
 *
 * Routers masquerade (port-preserving, or every connection at a random port) and let nothing in that was
 * not asked for.
 */

import { shell } from './program.ts'

export type Masquerade = 'preserving' | 'random'

export interface Home {
  /** The namespace of the machine behind the router. */
  readonly machine: string
  readonly router: string
}

export class Internet {
  readonly public: string
  private readonly id: string
  private readonly namespaces: string[] = []
  private links = 0

  constructor(id: string) {
    this.id = id
    this.public = this.namespace('inet')
    shell(`ip -n ${this.public} link add br0 type bridge
ip -n ${this.public} link set br0 up
for n in 1 2 3; do ip -n ${this.public} addr add 198.51.100.$n/24 dev br0; done`)
  }

  /** A machine at 10.`subnet`.0.2 behind a router with the public address 198.51.100.`outer`. */
  home(name: string, outer: number, subnet: number, masquerade: Masquerade): Home {
    const router = this.namespace(`${name}r`)
    const machine = this.namespace(name)
    this.router(router, outer, subnet, masquerade)
    this.plug(machine, router, subnet)
    return { machine, router }
  }

  /** A machine in the open, at 198.51.100.`outer`. */
  host(name: string, outer: number): string {
    const machine = this.namespace(name)
    const cable = `${this.id}o${this.links++}`
    shell(`ip link add ${cable} netns ${this.public} type veth peer name eth0 netns ${machine}
ip -n ${this.public} link set ${cable} master br0 up
ip -n ${machine} addr add 198.51.100.${outer}/24 dev eth0
ip -n ${machine} link set eth0 up`)
    return machine
  }

  /** A router on its own, to which a machine may be moved. */
  emptyHome(name: string, outer: number, subnet: number, masquerade: Masquerade): string {
    const router = this.namespace(`${name}r`)
    this.router(router, outer, subnet, masquerade)
    return router
  }

  /** Takes the machine's cable out of its router and puts it into another. */
  move(machine: string, router: string, subnet: number): void {
    shell(`ip -n ${machine} link del eth0`)
    this.plug(machine, router, subnet)
  }

  close(): void {
    for (const namespace of this.namespaces)
      try {
        shell(`ip netns pids ${namespace} | xargs -r kill -9; ip netns del ${namespace}`)
      } catch {
        // It is gone already.
      }
  }

  private namespace(name: string): string {
    const full = `${this.id}${name}`
    shell(`ip netns add ${full} && ip -n ${full} link set lo up`)
    this.namespaces.push(full)
    return full
  }

  private router(router: string, outer: number, subnet: number, masquerade: Masquerade): void {
    const cable = `${this.id}o${this.links++}`
    const fully = masquerade === 'random' ? '--random-fully' : ''
    shell(`ip link add ${cable} netns ${this.public} type veth peer name wan netns ${router}
ip -n ${this.public} link set ${cable} master br0 up
ip -n ${router} addr add 198.51.100.${outer}/24 dev wan
ip -n ${router} link set wan up
ip netns exec ${router} sysctl -qw net.ipv4.ip_forward=1
ip netns exec ${router} iptables -t nat -A POSTROUTING -o wan -p tcp -j MASQUERADE ${fully}
ip netns exec ${router} iptables -P FORWARD DROP
ip netns exec ${router} iptables -A FORWARD -s 10.${subnet}.0.0/24 -j ACCEPT
ip netns exec ${router} iptables -A FORWARD -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT
ip netns exec ${router} iptables -A INPUT -i wan -m conntrack --ctstate NEW -j DROP`)
  }

  private plug(machine: string, router: string, subnet: number): void {
    const cable = `lan${this.links++}`
    shell(`ip link add ${cable} netns ${router} type veth peer name eth0 netns ${machine}
ip -n ${router} addr add 10.${subnet}.0.1/24 dev ${cable}
ip -n ${router} link set ${cable} up
ip -n ${machine} addr add 10.${subnet}.0.2/24 dev eth0
ip -n ${machine} link set eth0 up
ip -n ${machine} route add default via 10.${subnet}.0.1`)
  }
}
