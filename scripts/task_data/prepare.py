"""rough"""
import sys, zlib, os
os.environ["TOKENIZERS_PARALLELISM"]="false"
from pathlib import Path
import numpy as np
sys.path.insert(0, str(Path(__file__).parent))
import text
from keras_hplist.tasks.data import shipped
from tokenizers import Tokenizer, models, trainers, pre_tokenizers, Regex
D=Path('/tmp/dp/x')
lib=(D/'libpython3.11-stdlib/usr/lib/python3.11', D/'libpython3.11-minimal/usr/lib/python3.11')
pydoc=D/'python3.11-doc/usr/share/doc/python3.11/html/_sources'
def mo(lang,dj):
    r=sorted((D/'postgresql-15').rglob(f'{lang}/LC_MESSAGES/*.mo'))+sorted((D/'postgresql-client-15').rglob(f'{lang}/LC_MESSAGES/*.mo'))
    return r+sorted(Path('/tmp/dp/dj').rglob(f'{dj}/LC_MESSAGES/*.mo'))
C={
 'imdb': lambda: text.novels(Path('/tmp/dp/ja/usr/lib/R/site-library/janeaustenr/data/Rdata.rdb')),
 'lm1b': lambda: text.page_sentences(D/'sqlite3-doc/usr/share/doc/sqlite3'),
 'wikipedia_en': lambda: text.glosses(D/'wordnet-base/usr/share/wordnet/data.noun',4),
 'wikipedia_zh': lambda: text.messages(*mo('zh_CN','zh_Hans')),
 'wikipedia_ru': lambda: text.messages(*mo('ru','ru')),
 'wikipedia_ja': lambda: text.messages(*mo('ja','ja')),
 'wikipedia_hsb': lambda: text.messages(*mo('hsb','hsb')),
 'amazon_books': lambda: text.manual_paragraphs(pydoc),
 'amazon_camera': lambda: text.doc_strings(*lib),
 'amazon_home': lambda: text.comments(*lib),
 'amazon_video': lambda: text.functions(*lib),
}
W=r"[A-Za-z\x{80}-\x{ff}]"
PAT=rf" ?{W}+| ?[0-9]+| ?[^A-Za-z0-9\s\x{{80}}-\x{{ff}}]+|[ \t\r\n]+"
for name,f in C.items():
    if len(sys.argv)>1 and name not in sys.argv[1:]: continue
    docs=list({d.text:d for d in f()}.values())
    raw=[d.text.encode() for d in docs]
    tot=sum(map(len,raw))
    tk=Tokenizer(models.BPE()); tk.pre_tokenizer=pre_tokenizers.Split(Regex(PAT),'isolated')
    lat=[r.decode('latin-1') for r in raw]
    tk.train_from_iterator(lat, trainers.BpeTrainer(vocab_size=8184 if name=='imdb' else 8191, initial_alphabet=[chr(i) for i in range(256)], show_progress=False))
    enc=[e.ids for e in tk.encode_batch(lat)]
    V=sorted(tk.get_vocab().items(), key=lambda kv: kv[1]); voc=[k.encode('latin-1') for k,_ in V]
    assert all(b''.join(voc[i] for i in e)==r for e,r in zip(enc,raw))
    lab=np.array([d.label for d in docs],np.uint8)
    held=np.array([zlib.crc32(d.place.encode())%10<3 for d in docs])
    A={'ids':np.concatenate([np.array(e,np.uint16) for e in enc]),'lengths':np.array([len(e) for e in enc],np.uint16),'held_out':held,
       'vocabulary':np.frombuffer(b''.join(voc),np.uint8),'vocabulary_lengths':np.array([len(v) for v in voc],np.uint8)}
    if lab.max()>0: A['labels']=lab
    b=shipped.write(A)
    import lzma
    print(name,'docs',len(docs),'held',held.sum(),'bytes',tot,'tokens',len(A['ids']),'vocab',len(voc),'file',len(b),'textxz',len(lzma.compress(b'\n'.join(raw),preset=9)),np.bincount(lab),flush=True)
    Path('/work/main/tasks/data/files/text_'+name+'.npz.xz').write_bytes(b)
