<html><?php
namespace App\Mail;

use App\Queue\Job as Work;
require_once 'vendor/autoload.php';

interface Sends { public function send(string $to): bool; }

class Mailer extends Base implements Sends {
    use Logs;

    public function __construct(private Work $job) { parent::__construct(); }

    public function send(string $to): bool {
        $format = fn($x) => größe($x);
        self::check($to);
        $this->job?->push(new Message($format($to)));
        return \App\Util\ok();
    }

    private static function check(string $to) {
        function inner() { trim(' '); }
        inner();
    }
}

function größe(int $n): int { return $n === 0 ? 0 : größe($n - 1); }

(new Mailer(null))->send('x');
?></html>
