// Plugins of pytest that tests may need. With autoload off, a plugin is loaded when the tests, a conftest.py or the
// configuration bears its sign and it is installed. Loading everything that is installed costs a second a run.

export interface PytestPlugin {
  /** Module for `-p`. */
  module: string
  /** Distribution that brings it. */
  distribution: string
  /** Regular expression in the words that JavaScript and Python share. */
  sign: string
}

export const pytestPlugins: readonly PytestPlugin[] = [
  { module: 'pytest_asyncio.plugin', distribution: 'pytest-asyncio', sign: 'pytest_asyncio|mark\\.asyncio|asyncio_mode' },
  { module: 'anyio.pytest_plugin', distribution: 'anyio', sign: 'mark\\.anyio|anyio_backend' },
  { module: 'pytest_trio.plugin', distribution: 'pytest-trio', sign: 'mark\\.trio|pytest_trio|trio_mode' },
  { module: 'pytest_mock', distribution: 'pytest-mock', sign: '\\bmocker\\b|pytest_mock' },
  { module: '_hypothesis_pytestplugin', distribution: 'hypothesis', sign: '\\b(from|import) hypothesis\\b' },
  { module: 'pytest_subtests.plugin', distribution: 'pytest-subtests', sign: '\\bsubtests\\b' },
  { module: 'pytest_lazyfixture', distribution: 'pytest-lazy-fixture', sign: '\\blazy_fixture\\b' },
  { module: 'pytest_lazy_fixtures.plugin', distribution: 'pytest-lazy-fixtures', sign: 'pytest_lazy_fixtures' },
  { module: 'pytest_datadir.plugin', distribution: 'pytest-datadir', sign: '\\b(shared_)?datadir\\b' },
  { module: 'pytest_regressions.plugin', distribution: 'pytest-regressions', sign: '\\b(data|file|num|image)_regression\\b' },
  { module: 'pytest_timeout', distribution: 'pytest-timeout', sign: 'mark\\.timeout|--timeout|timeout_method' },
  { module: 'pytest_freezer', distribution: 'pytest-freezer', sign: '\\bfreezer\\b' },
  { module: 'pytest_benchmark.plugin', distribution: 'pytest-benchmark', sign: '\\bbenchmark\\b' },
  { module: 'pytest_django.plugin', distribution: 'pytest-django', sign: 'mark\\.django_db|DJANGO_SETTINGS_MODULE|pytest_django' },
  { module: 'pytest_flask.plugin', distribution: 'pytest-flask', sign: 'pytest_flask|mark\\.options|live_server' },
  { module: 'pytest_httpserver.pytest_plugin', distribution: 'pytest-httpserver', sign: '\\bhttpserver\\b' },
  { module: 'pytest_localserver.plugin', distribution: 'pytest-localserver', sign: 'pytest_localserver' },
  { module: 'pytest_httpbin.plugin', distribution: 'pytest-httpbin', sign: '\\bhttpbin(_secure|_both)?\\b' },
  { module: 'pytest_httpx', distribution: 'pytest-httpx', sign: '\\bhttpx_mock\\b' },
  { module: 'respx.plugin', distribution: 'respx', sign: '\\brespx_mock\\b' },
  { module: 'requests_mock.contrib._pytest_plugin', distribution: 'requests-mock', sign: '\\brequests_mock\\b' },
  { module: 'pytest_aiohttp.plugin', distribution: 'pytest-aiohttp', sign: '\\baiohttp_(client|server)\\b' },
  { module: 'pytest_tornasync.plugin', distribution: 'pytest-tornasync', sign: '\\bhttp_server_client\\b' },
  { module: 'pytest_order', distribution: 'pytest-order', sign: 'mark\\.order\\b' },
  { module: 'pytest_rerunfailures', distribution: 'pytest-rerunfailures', sign: 'mark\\.flaky|--reruns' },
  { module: 'pytest_env.plugin', distribution: 'pytest-env', sign: 'pytest[-_]env\\b' },
  { module: 'pytest_socket', distribution: 'pytest-socket', sign: 'mark\\.enable_socket|--disable-socket' },
  { module: 'faker.contrib.pytest.plugin', distribution: 'faker', sign: '\\bfaker\\b' },
  { module: 'syrupy', distribution: 'syrupy', sign: '\\bsyrupy\\b|\\bsnapshot\\b' },
  { module: 'pyfakefs.pytest_plugin', distribution: 'pyfakefs', sign: 'pyfakefs|\\(fs\\b' },
  { module: 'pytest_console_scripts', distribution: 'pytest-console-scripts', sign: '\\bscript_runner\\b' },
  { module: 'time_machine', distribution: 'time-machine', sign: '\\btime_machine\\b' },
  { module: 'pytest_check', distribution: 'pytest-check', sign: 'pytest_check|\\bcheck\\.(equal|is_true)\\b' },
  { module: 'pytest_cases.plugin', distribution: 'pytest-cases', sign: 'pytest_cases' },
  { module: 'pytest_recording.plugin', distribution: 'pytest-recording', sign: 'mark\\.vcr' },
  { module: 'pytest_twisted', distribution: 'pytest-twisted', sign: 'pytest_twisted' },
  { module: 'pytest_qt.plugin', distribution: 'pytest-qt', sign: '\\bqtbot\\b' },
  { module: 'pytest_bdd.plugin', distribution: 'pytest-bdd', sign: 'pytest_bdd' },
  { module: 'pytest_mypy_plugins.collect', distribution: 'pytest-mypy-plugins', sign: 'pytest_mypy_plugins' }
]
