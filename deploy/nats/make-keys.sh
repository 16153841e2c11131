#!/bin/bash
# Makes everything that a NATS server for Spar and its clients need to trust each other, in a new folder:
#
#   keys/<role>.nk                      seeds, for --nats-nkey: operator node submitter watcher trainer system
#   tls/ca.pem                          for --nats-ca
#   tls/client.pem, client-key.pem      for --nats-cert and --nats-key, where the server wants them (--client-certificates)
#   tls/server.pem, server-key.pem      of the servers; tls/ca-key.pem signs more of them: keep it elsewhere
#   server/nats.conf, cluster.conf      the configuration, with the public keys and paths filled in
#
# Folders have mode 0700, files 0600. Needs node (with `npm ci` done in this checkout) and openssl.
set -euo pipefail
umask 077

usage () {
  cat <<USAGE
Usage: make-keys.sh <folder> [options]
  --hosts a,b,c            names and addresses of the servers, beside localhost (for their certificate, and the routes of a cluster)
  --at /etc/spar-nats      where the servers will see the folder; default: where it is
  --store /var/lib/nats    where the servers keep their streams; default: <folder>/store
  --prefix spar            as --nats-prefix
  --client-certificates    refuse clients without a certificate, even with the right nkey
  --days 825               how long the certificates are good
USAGE
}

die () { echo "make-keys: $*" >&2; exit 1; }

folder='' hosts='' at='' store='' prefix=spar verify=false days=825
while [ $# -gt 0 ]; do
  case $1 in
    --hosts|--at|--store|--prefix|--days) [ $# -ge 2 ] || die "$1 takes a value"; declare "${1#--}=$2"; shift ;;
    --client-certificates) verify=true ;;
    -h|--help) usage; exit 0 ;;
    -*) usage >&2; die "there is no option $1" ;;
    *) [ -z "$folder" ] || die "one folder, not two: $1"; folder=$1 ;;
  esac
  shift
done
[ -n "$folder" ] || { usage >&2; exit 64; }
[[ $prefix =~ ^[A-Za-z0-9_-]+$ ]] || die "cannot use the prefix $prefix: it takes letters, digits, \"-\" and \"_\""
[[ $days =~ ^[0-9]+$ ]] || die "--days takes a number, not $days"
[[ $hosts =~ ^[A-Za-z0-9.,:*-]*$ ]] || die "--hosts takes names and addresses joined by commas, not $hosts"
[ ! -e "$folder" ] || die "$folder is there already, and nothing is written over. Name another folder, or move that one away"
for tool in node openssl; do command -v "$tool" >/dev/null || die "there is no $tool"; done

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
mkdir -p "$(dirname "$folder")"
mkdir "$folder"
folder=$(cd "$folder" && pwd)
# Half a folder would be taken for a whole one.
trap 'rm -rf "$folder"; die "did not finish; $folder is removed"' ERR INT TERM
at=${at:-$folder} store=${store:-$at/store}
mkdir "$folder"/{keys,tls,server}

node "$here/make-nkeys.mjs" "$folder" "$prefix"

names=DNS:localhost,IP:127.0.0.1,IP:::1 routes=''
IFS=, read -ra list <<<"$hosts"
for host in "${list[@]}"; do
  [ -n "$host" ] || continue
  if [[ $host =~ ^[0-9.]+$ || $host == *:* ]]; then names+=",IP:$host"; else names+=",DNS:$host"; fi
  [[ $host == *\** ]] || routes+="${routes:+, }\"nats-route://$host:6222\""
done

certificate () { # name, common name, use, names it is good for
  local extensions
  extensions=$(printf 'basicConstraints=critical,CA:false\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=%s\n' "$3"; [ -z "${4:-}" ] || echo "subjectAltName=$4")
  openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$2" -keyout "$folder/tls/$1-key.pem" -out "$folder/tls/$1.csr" 2>/dev/null
  openssl x509 -req -in "$folder/tls/$1.csr" -CA "$folder/tls/ca.pem" -CAkey "$folder/tls/ca-key.pem" -set_serial "0x$(openssl rand -hex 16)" -days "$days" -sha256 -extfile <(echo "$extensions") -out "$folder/tls/$1.pem" 2>/dev/null
  rm "$folder/tls/$1.csr"
}
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days "$days" -sha256 -subj "/CN=Spar NATS" -addext 'basicConstraints=critical,CA:true' -addext 'keyUsage=critical,keyCertSign,cRLSign' -keyout "$folder/tls/ca-key.pem" -out "$folder/tls/ca.pem" 2>/dev/null
certificate server spar-nats serverAuth,clientAuth "$names"
certificate client spar-client clientAuth

for file in nats.conf cluster.conf common.conf; do
  text=$(<"$here/$file")
  text=${text//@FOLDER@/$at} text=${text//@STORE@/$store} text=${text//@VERIFY@/$verify} text=${text//@ROUTES@/$routes}
  printf '%s\n' "$text" >"$folder/server/$file"
done
trap - ERR INT TERM

cat <<DONE
Made $folder. Start a server with
  nats-server -c $at/server/nats.conf
make the streams once as operator (a node that has to make some may not):
  spar run list --nats-nkey $folder/keys/operator.nk --nats-ca $folder/tls/ca.pem
and give nodes
  spar node --nats-nkey $folder/keys/node.nk --nats-ca $folder/tls/ca.pem$([ "$verify" = false ] || printf ' --nats-cert %s/tls/client.pem --nats-key %s/tls/client-key.pem' "$folder" "$folder")
DONE
