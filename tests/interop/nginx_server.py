"""
An nginx that the interop tests start: one process, one port, everything that it writes in the test's
directory.
"""
import os

PORT = 8000

CONFIGURATION = """
user root;
daemon off;
master_process off;
error_log stderr;
pid {directory}/nginx.pid;
events {{ worker_connections 4096; }}
http {{
    log_format connections '$connection $connection_requests $status $body_bytes_sent';
    access_log {directory}/access.log connections;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    sendfile {sendfile};
    tcp_nopush on;
    keepalive_requests 100000;
    server {{
        listen {address}:{port} backlog=4096;
        root {root};
    }}
}}
"""


def start(case, root, sendfile=True):
    """Serves `root` on the kernel's address of the case."""
    directory = case.path("nginx")
    os.mkdir(directory)
    address = "[%s]" % case.kernel if ":" in case.kernel else case.kernel
    configuration = os.path.join(directory, "nginx.conf")
    text = CONFIGURATION.format(directory=directory, address=address, port=PORT, root=root,
                                sendfile="on" if sendfile else "off")
    with open(configuration, "w", encoding="ascii") as file:
        file.write(text)
    with open(os.path.join(directory, "errors"), "wb") as errors:
        process = case.start("nginx", "-p", directory, "-c", configuration, stdout=errors, stderr=errors)
    case.wait_for_listener(PORT)
    return process


def access_log(case):
    """[[connection, request of it, status, bytes], ...]"""
    with open(case.path("nginx/access.log"), encoding="ascii") as file:
        return [[int(field) for field in line.split()] for line in file]
